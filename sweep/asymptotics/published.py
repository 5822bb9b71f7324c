"""illustrate(): the three published illustrations, computed and compared with what was published.

An `Illustration` holds everything that its figures draw. The published values, digit for digit, are
in `sweep/data/illustrations/published.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.base.records import plain
from sweep.base.tables import Table, Tabular
from sweep.data.sample import Sample, illustration
from sweep.landscapes.landscape import landscape
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr


@dataclass(frozen=True)
class Comparison:
    """One quantity: its published values and the computed one."""

    quantity: str  # name of the quantity
    thread: str | None  # its digits in the question-and-answer thread; None if not given there
    R: str | None  # its digits from R; None if not given there
    computed: str  # the computed value, or the interval that must contain the published one
    agrees: bool  # whether it differs from both by less than one unit of their last digit


@dataclass(frozen=True)
class Illustration(Tabular):
    """One published illustration, computed.

    Attributes:
        number: 1, 2 or 3.
        sample: the points.
        truth: the parameters of the simulation, in words.
        optimum: the optimum of each metric.
        landscape: both metrics over the published grid.
        along_a: both metrics over a at the optimal b (dims a, b with one b).
        along_b: both metrics over b at the optimal a (dims a, b with one a).
        comparisons: published and computed values.
    """

    number: int
    sample: Sample
    truth: str
    optimum: Optimum
    landscape: xr.Dataset
    along_a: xr.Dataset
    along_b: xr.Dataset
    comparisons: tuple[Comparison, ...]

    def tables(self) -> tuple[Table, ...]:
        """Published beside computed values, then the optima."""
        title = f"Illustration {self.number}: {len(self.sample)} points, true model: {self.truth}"
        rows = tuple(
            (
                row.quantity,
                row.thread or "",
                row.R or "",
                row.computed if row.agrees else f"{row.computed} DIFFERS",
            )
            for row in self.comparisons
        )
        columns = ("", "thread", "R", "computed")
        return Table(title=title, columns=columns, rows=rows), *self.optimum.tables()

    def to_dict(self) -> dict[str, Any]:
        """The comparisons and the optima, as plain Python values."""
        return {
            "number": self.number,
            "truth": self.truth,
            "comparisons": plain(self.comparisons),
            "optimum": plain(self.optimum),
        }


def illustrate(k: int) -> Illustration:
    """Computes the k-th illustration on its published grid.

    Args:
        k: number of the illustration, 1 to 3.

    Raises:
        InputError: k is not 1, 2 or 3.
    """
    sample = illustration(k)
    published = _published()[str(k)]
    best = optimum(sample)
    grid = landscape(sample, published["a"], published["b"])
    fine = {"a": _finer(published["a"]), "b": _finer(published["b"])}
    ce = best.cross_entropy
    return Illustration(
        number=k,
        sample=sample,
        truth=published["true"],
        optimum=best,
        landscape=grid,
        along_a=landscape(sample, fine["a"], ce.b),
        along_b=landscape(sample, ce.a, fine["b"]),
        comparisons=tuple(_comparisons(sample, best, grid, published)),
    )


def _published() -> dict[str, Any]:
    """The published values, by number of the illustration."""
    source = resources.files("sweep.data") / "illustrations" / "published.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _finer(spec: str) -> str:
    """The same range in ten times as many steps: a slice must show every jump of accuracy."""
    low, high, count = spec.split(":")
    return f"{low}:{high}:{10 * (int(count) - 1) + 1}"


def _comparisons(
    sample: Sample, best: Optimum, grid: xr.Dataset, published: dict[str, Any]
) -> list[Comparison]:
    """All published values of one illustration, compared."""
    computed = _quantities(sample, best, grid)
    rows = [
        _compare(quantity, texts, computed[quantity])
        for quantity, texts in published["values"].items()
    ]
    cuts = published.get("optimal_cuts", {}).get("thread", ())
    rows += [_compare_cut(text, best) for text in cuts]
    for probe in published.get("points", ()):
        rows += _compare_points(sample, best, probe)
    return rows


def _quantities(sample: Sample, best: Optimum, grid: xr.Dataset) -> dict[str, float]:
    """The computed values, named as in the file of the published ones."""
    ce, accuracy = best.cross_entropy, best.accuracy
    at_optimum = landscape(sample, ce.a, ce.b, "accuracy")
    return {
        "points": len(sample),
        "slope a of least cross-entropy": ce.a,
        "intercept b of least cross-entropy": ce.b,
        "least cross-entropy": ce.value,
        "cut of least cross-entropy": ce.cut,
        "accuracy at least cross-entropy": at_optimum.accuracy.item(),
        "correct at least cross-entropy": at_optimum.correct.item(),
        "highest accuracy": accuracy.value,
        "most correct": accuracy.correct,
        "grid cells with most correct": int((grid.correct == accuracy.correct).sum()),
    }


def _compare(quantity: str, published: dict[str, str], computed: float) -> Comparison:
    """One computed value, compared with its published digits."""
    shown = str(computed) if isinstance(computed, int) else f"{computed:.10g}"
    agrees = all(_agrees(computed, digits) for digits in published.values())
    return Comparison(quantity, published.get("thread"), published.get("R"), shown, agrees)


def _agrees(computed: float, digits: str) -> bool:
    """Whether a value is less than one unit of the last digit away from printed digits."""
    printed = Decimal(digits)
    unit = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    return abs(Decimal(computed) - printed) < unit


def _compare_cut(published: str, best: Optimum) -> Comparison:
    """Whether a published cut, class 1 above it, lies in the exact set, and in which interval."""
    cut = float(published)
    intervals = [
        (low, high)
        for low, high, orientation in best.accuracy.cuts
        if orientation > 0 and low < cut <= high
    ]
    computed = (
        ", ".join(f"({low:g}, {high:g}]" for low, high in intervals) or "in no optimal interval"
    )
    return Comparison("cut of highest accuracy", published, None, computed, bool(intervals))


def _compare_points(sample: Sample, best: Optimum, probe: dict[str, Any]) -> list[Comparison]:
    """The published cross-entropy of each single point at one (a, b)."""
    at_optimum = isinstance(probe["at"], str)
    a, b = (best.cross_entropy.a, best.cross_entropy.b) if at_optimum else probe["at"]
    where = "optimum" if at_optimum else f"a = {a:g}, b = {b:g}"
    losses = [
        landscape(Sample(np.array([x]), np.array([y])), a, b, "cross_entropy").cross_entropy.item()
        for x, y in zip(sample.x, sample.y, strict=True)
    ]
    return [
        _compare(f"cross-entropy, point {i} at {where}", {"thread": thread, "R": reference}, loss)
        for i, (thread, reference, loss) in enumerate(
            zip(probe["thread"], probe["R"], losses, strict=True), start=1
        )
    ]
