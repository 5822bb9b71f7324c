"""landscape(): plan, compute, label. Metrics over a grid of (a, b)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sweep.clock import Clock
from sweep.data import Batch, InputError, Sample
from sweep.grid import Grid, axis
from sweep.losses import Counting, Family, Smooth, metric
from sweep.measure import Measure, as_measure
from sweep.models import PerSample, Slice, as_batch, per_sample, require_slice
from sweep.populations import Population
from sweep.progress import Step, bar

if TYPE_CHECKING:
    import xarray as xr

BUDGET = 512 * 2**20
"""Default bytes of working memory, beyond input and output."""

LEAST_BUDGET = 2**20
"""Bytes of working memory without which nothing can be planned."""

METHODS = ("auto", "direct", "compressed")
DTYPES = ("float64", "float32")

Metric = Smooth | Counting | PerSample
Asked = str | Smooth | Counting | Family | Callable[..., Any]
"""A metric by its name, itself, a family for its defaults, or a function of a logit and a label."""


def landscape(
    data: Sample | Measure | Population | Batch | tuple,
    a: str | ArrayLike = "-5:5:101",
    b: str | ArrayLike = "-5:5:101",
    metrics: Asked | Sequence[Asked] = ("cross_entropy", "accuracy"),
    *,
    model: Slice | None = None,
    tolerance: float = 1e-9,
    method: str = "auto",
    dtype: str = "float64",
    memory_budget: int = BUDGET,
    progress: bool | None = None,
) -> xr.Dataset:
    """Metrics of p = sigmoid(a*x + b) in every cell of a grid of slopes a and intercepts b.

    The logit is z = fl(fl(a*x) + b) in float64, and class 1 is predicted iff z > 0. Counts are
    exact in every cell, ties included (see `sweep.cuts`).

    With `model`, the same of p = sigmoid(logit(params, x)) on a slice through its parameters: a and
    b count along the two directions, z is what the model computes, and no bound on its rounding is
    known, so that `tolerance` and `method` are not used and `error_bound` is nan.

    Of a population, n = infinity, the metrics are expectations, by quadrature: the slopes decide
    how fine, and `error_bound` includes it. Counting metrics that divide by a mass which a cut may
    make as small as it likes, precision and mcc, then have no bound. The bound holds if the density
    of x and P(y = 1 | x) have no undeclared feature that is narrower than what the panels of the
    quadrature see, which are compared with the law at some thousands of x.

    Args:
        data: the sample, population or measure; with a model or a metric of your own also (X, y) or
            (X, y, weight), X of shape (n, ...).
        a: slopes, P points: text such as "-5:5:101" (both ends included; ":log" for geometric
            spacing; "0,1,2.5" for a list), a number or an array.
        b: intercepts, Q points, likewise.
        metrics: names from `sweep.losses.METRICS`, with parameters as in "focal(gamma=3)"; metrics
            themselves, such as `sweep.losses.METRICS["focal"](3)`; and JAX functions
            `metric(z, y)` of the logit and the label of one sample, which are averaged over the
            samples and named by their `__name__`.
        model: the model and its slice; None is the logistic model.
        tolerance: largest error accepted in a smooth metric, as a multiple of max(1, value).
        method: "direct" sums over every point in every cell, at a cost of cells x points;
            "compressed" reads the points once (see `sweep.compressed`); "auto" takes the cheaper.
            Either keeps the tolerance or refuses. A `Measure` keeps its compression for the next
            grid; a `Sample` does not.
        dtype: "float64" or "float32", in which the direct method computes losses, and a model. The
            compressed method is in float64, and counts of the logistic model are exact.
        memory_budget: bytes that may be used beyond input and output.
        progress: whether to show progress bars on stderr for what takes more than two seconds;
            None shows them on a terminal only.

    Returns:
        A Dataset with dims `a` (P,) and `b` (Q,) and a float64 variable for each metric, named as
        the metric: `cross_entropy` in nats, `accuracy` as a fraction. For hard labels without
        weights, `accuracy` comes with `correct`, the int64 count of correct predictions.
        Attributes say what it was computed from, on what device and how: `n`, inf for a population
        and then `population`, its name, and `quadrature_note`, under
        what condition the bound holds; `method`; `error_bound`,
        on |error| / max(1, value), of each variable and the largest of all that are known; the
        seconds of each stage, with compilation apart; and for a compression the numbers of `bins`
        and `nodes`, and `observed_error`, the largest error seen by `sweep.verify` in
        `checked_cells` cells against sums over `checked_points` points.

    Raises:
        InputError: an axis or metric is not understood, there are no points, the result would not
            fit into memory, the tolerance cannot be met, or JAX finds no device; a model or
            metric of your own is not a scalar function of one sample, or a logit is nan.
        TypeError: data is of a kind that is not known, or has no samples where they are needed.
    """
    grid = Grid(axis(a, "a"), axis(b, "b"))
    wanted = _wanted(metrics)
    dtype = getattr(dtype, "__name__", dtype)  # numpy.float32 and jax.numpy.float32 have one
    _require_known("method", method, METHODS)
    _require_known("dtype", dtype, DTYPES)
    memory_budget = int(_number("memory_budget", memory_budget))
    if memory_budget < LEAST_BUDGET:
        raise InputError(f"memory budget is {memory_budget} bytes; at least 1 MiB is needed")
    if not 0 < _number("tolerance", tolerance) < math.inf:
        raise InputError(f"tolerance is {tolerance!r}; a positive number is needed")
    grid.require_room(len(wanted) + any(m.name == "accuracy" for m in wanted))
    run = _Run(grid, wanted, tolerance, method, dtype, memory_budget, progress)
    if model is None:
        return run.of_line(data)
    require_slice(model)
    return run.of_model(model, as_batch(data))


@dataclass(frozen=True)
class _Run:
    """One call of `landscape`, its arguments understood."""

    grid: Grid
    wanted: list[Metric]
    tolerance: float
    method: str
    dtype: str
    budget: int
    progress: bool | None
    clock: Clock = field(default_factory=Clock)

    def of_line(self, data: Sample | Measure | Population | Batch | tuple) -> xr.Dataset:
        """The landscape of the logistic model."""
        # jax takes a second to load: the first call pays for it, `import sweep` does not.
        from sweep import devices
        from sweep.counts import counting_bound, counts
        from sweep.methods import Request, smooth
        from sweep.pairs import LINEAR

        own = [m for m in self.wanted if isinstance(m, PerSample)]
        batch = as_batch(data) if own else None
        if batch is not None and not isinstance(data, (Sample, Measure)):
            data = Sample(batch.x, batch.y, batch.weight)
        with self.clock.stage("read"):
            measure = as_measure(data, float(np.max(np.abs(self.grid.a))) or None)
            if not measure.total > 0:
                raise InputError("the sample has no points, so its metrics are means over nothing")
            provenance = _provenance(measure)
        losses = [m for m in self.wanted if isinstance(m, Smooth)]
        counting = [m for m in self.wanted if isinstance(m, Counting)]
        bounds = {m.name: counting_bound(measure, m) for m in counting}
        self._require(
            max((bound for bound in bounds.values() if bound == bound), default=0.0), measure
        )
        integration = {m.name: self._integration(measure, m) for m in losses}
        if counting:
            with self.clock.stage("sort"):
                devices.order(measure.class0, measure.class1)
        values: dict[str, np.ndarray] = {}
        how: dict[str, Any] = {"tolerance": self.tolerance}
        if losses:
            request = Request(
                losses, self.grid, self.tolerance, self.dtype, self.budget, self.progress
            )
            answer = smooth(measure, request, self.method, self.clock)
            values |= answer.values
            how |= answer.attributes
            bounds |= {name: answer.bound + integration[name] for name in answer.values}
        if counting:
            with self._stage("count", "counts", self.grid.cells, "cells") as step:
                values |= counts(measure, counting, self.grid, self.budget, step)
        if batch is not None:
            values |= self._pairs(LINEAR, batch, own)
        return self._labelled(values, provenance | how, bounds)

    def of_model(self, model: Slice, batch: Batch) -> xr.Dataset:
        """The landscape of a model of the user's own."""
        values = self._pairs(model, batch, self.wanted)
        how = {
            "model": repr(model),
            "method": "direct",
            "dtype": self.dtype,
        }
        found = self._labelled(values, _provenance(batch) | how, {})
        found.a.attrs.update(units="1", long_name="a, along directions[0]")
        found.b.attrs.update(units="1", long_name="b, along directions[1]")
        return found

    def _pairs(
        self, model: Slice, batch: Batch, metrics: Sequence[Metric]
    ) -> dict[str, np.ndarray]:
        from sweep import pairs

        work = self.grid.cells * len(batch)
        with self._stage("evaluate", "model", work, "samples") as step:
            return pairs.evaluate(model, batch, self.grid, metrics, self.dtype, self.budget, step)

    @contextmanager
    def _stage(self, name: str, what: str, total: int, unit: str) -> Iterator[Step]:
        with self.clock.stage(name), bar(what, total, unit, self.progress) as step:
            yield step

    def _require(self, bound: float, measure: Measure) -> None:
        if bound <= self.tolerance:
            return
        promise = f"tolerance {self.tolerance:g} cannot be promised for"
        if measure.quadrature is not None:
            raise InputError(
                f"{promise} the masses below and above a cut of this law: its quadrature may be "
                f"wrong by {bound:.1e}; ask for a larger tolerance"
            )
        raise InputError(
            f"{promise} weighted counts: rounding alone may reach {bound:.1e}; ask for a larger "
            "tolerance"
        )

    def _integration(self, measure: Measure, metric: Smooth) -> float:
        """Bound on the error of a population's quadrature; 0 for a sample.

        Raises:
            InputError: it is larger than the tolerance.
        """
        from sweep.analytic import profile

        if measure.quadrature is None:
            return 0.0
        slope, intercept = (float(np.max(np.abs(points))) for points in (self.grid.a, self.grid.b))
        total = metric.total(measure.class0.total, measure.class1.total)
        bound = sum(
            max(part.on_class0, part.on_class1) / total
            * measure.quadrature.bound(profile(part.loss), slope, intercept)
            for part in metric.parts
        )  # fmt: skip
        if bound > self.tolerance:
            raise InputError(
                f"tolerance {self.tolerance:g} cannot be promised for {metric.name} of this law: "
                f"its quadrature may be wrong by {bound:.1e}; ask for a larger tolerance"
            )
        return bound

    def _labelled(
        self, values: dict[str, np.ndarray], how: dict[str, Any], bounds: dict[str, float]
    ) -> xr.Dataset:
        """The dataset; a metric without a bound has a model or a formula of the user's own."""
        import xarray as xr

        attributes = {
            m.name: {
                "units": m.units,
                "long_name": m.long_name,
                "source": m.source,
                "kind": "counting" if isinstance(m, Counting) else "smooth",
                "error_bound": bounds.get(m.name, math.nan),
            }
            for m in self.wanted
        }
        known = {name: bound for name, bound in bounds.items() if not math.isnan(bound)}
        how = how | {"error_bound": max(known.values(), default=math.nan)}
        if len(bounds) < len(self.wanted):
            how |= {"error_bound_note": "no bound is known for a model or metric of your own"}
        elif len(known) < len(bounds):
            how |= {"error_bound_note": "no bound is known for precision and mcc of a population"}
        attributes["correct"] = {"units": "count", "long_name": "correct predictions"}
        names = [name for name in (*(m.name for m in self.wanted), "correct") if name in values]
        return xr.Dataset(
            {name: (("a", "b"), values[name], attributes[name]) for name in names},
            coords={
                "a": ("a", self.grid.a, {"units": "1 / unit of x", "long_name": "slope a"}),
                "b": ("b", self.grid.b, {"units": "1", "long_name": "intercept b"}),
            },
            attrs=how | self.clock.seconds,
        )


def _wanted(metrics: Asked | Sequence[Asked]) -> list[Metric]:
    if isinstance(metrics, (str, Smooth, Counting)) or callable(metrics):
        return [_metric(metrics)]
    if not isinstance(metrics, Iterable):
        raise InputError(f"metrics is {metrics!r}; name a metric, or several in a list")
    found = [_metric(one) for one in metrics]
    if not found:
        raise InputError("no metric was asked for; name at least one")
    wanted = {one.name: one for one in found}
    for one in found:
        if one != wanted[one.name]:
            raise InputError(f"two metrics are called {one.name!r}; give each a name of its own")
    return list(wanted.values())


def _metric(asked: Asked) -> Metric:
    if not isinstance(asked, (str, Smooth, Counting)) and not callable(asked):
        raise InputError(f"a metric is {asked!r}; a name or a function metric(z, y) is needed")
    if callable(asked) and not isinstance(asked, Family):
        return per_sample(asked)
    return metric(asked)


def _provenance(data: Measure | Batch) -> dict[str, Any]:
    """What is computed, on what; InputError if JAX has no device of the platform asked for."""
    from sweep import devices

    return {
        "n": data.n if isinstance(data, Measure) else len(data),
        "total_weight": data.total,
        "sample_fingerprint": data.fingerprint,
        "device": devices.describe(),
        **_population(data),
        **versions(),
    }


def _population(data: Measure | Batch) -> dict[str, Any]:
    """The name of a population and the nodes of its quadrature."""
    if not isinstance(data, Measure) or data.quadrature is None:
        return {}
    return {
        "population": data.quadrature.law.name,
        "quadrature_nodes": len(data.quadrature.x),
        "quadrature_note": (
            "error_bound holds if the law has no undeclared feature narrower than the panels see"
        ),
    }


@cache
def versions() -> dict[str, str]:
    """What computes, as attributes of a result: {"sweep_version": ..., "jax_version": ...}."""
    return {name + "_version": version(name) for name in ("sweep", "jax")}


def _number(name: str, value: Any) -> float:
    if isinstance(value, Real) and not math.isnan(value):
        return float(value)
    raise InputError(f"{name} is {value!r}; a number is needed")


def _require_known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"there is no {option} {value!r}; the known ones are {', '.join(known)}")
