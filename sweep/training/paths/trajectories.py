"""The paths that are followed, and the steps of their optimisers.

Paths side by side are compiled once: each is a loop of steps between records, under `vmap` over
starts, learning rates and penalties. One call does few enough steps that a progress bar moves and
Ctrl-C is heard; the number of steps is an argument, so nothing is compiled again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sweep.base.errors import InputError
from sweep.base.progress import Step, ignore
from sweep.base.ranges import whole_number
from sweep.measure.measure import Measure
from sweep.metrics.logistic import softplus
from sweep.training.hyperparameters import canonical, require_distinct
from sweep.training.loop import transformation

STEPS = 100_000  # default number of steps
STEPS_OF_MANY, MANY = 10_000, 1000  # default for more than MANY points
LEAST_STEPS = 100  # with fewer, a path does not show where it leads
MOST_STEPS = 10**9

RECORDS = 40  # recorded steps per decade

CORNERS = ((0.0, 0.0), (-3.0, 3.0), (3.0, 3.0), (3.0, -3.0))
"""Default starts (a, b), for x of mean 0 and standard deviation 1."""

ADAPTIVE_RATE = 0.05
"""Default learning rate of optimisers other than sgd, for x of size 1 or less: such optimisers move
every parameter by about this much in a step."""

COPIES = 4  # arrays of paths x points that the memory budget must hold
PAIRS = 2**26  # pairs (path, point) that one call evaluates: less than a second
ROUNDS = 8  # quadratures made for a law, each for the steepest slope of the paths before


# --- settings -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Settings:
    """All combinations of settings that are followed."""

    optimizers: tuple[str, ...]  # names of the optimisers
    # learning rates; None is `default_rate` for each optimiser and penalty
    rates: tuple[float, ...] | None
    several: bool  # whether learning rates are a dimension of the result
    l2: tuple[float, ...]  # penalties
    starts: Float[np.ndarray, "s 2"]  # (a, b), shape (starts, 2)
    records: Int[np.ndarray, " r"]  # recorded steps, ascending from 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of learning rates, penalties and starts of each optimiser."""
        return 1 if self.rates is None else len(self.rates), len(self.l2), len(self.starts)

    @property
    def steps(self) -> int:
        """Steps of each path."""
        return int(self.records[-1])

    @property
    def total(self) -> int:
        """Steps of all paths together."""
        return len(self.optimizers) * math.prod(self.shape) * self.steps

    def rates_of(self, optimizer: str, measure: Measure) -> Float[np.ndarray, "r l"]:
        """Learning rates of an optimiser for each penalty."""
        if self.rates is None:
            return np.array([[default_rate(optimizer, measure, l2) for l2 in self.l2]])
        return np.repeat(np.array(self.rates)[:, None], len(self.l2), axis=1)


def default_rate(optimizer: str, measure: Measure, l2: float) -> float:
    """The default learning rate of an optimiser.

    For sgd it is one over the largest curvature that the objective has anywhere, so that gradient
    descent never rises (Nesterov 2004, Introductory lectures on convex optimization, theorem
    2.1.14).
    """
    mean, square = moments(measure)
    if optimizer.startswith("sgd"):
        # The Hessian is at most E[(x, 1)(x, 1)^T] / 4, because p (1 - p) <= 1/4, and the penalty.
        return float(1 / (np.linalg.eigvalsh([[square, mean], [mean, 1.0]])[-1] / 4 + l2))
    return ADAPTIVE_RATE / max(1.0, math.sqrt(square))


def moments(measure: Measure) -> tuple[float, float]:
    """Mean of x and mean of x^2."""
    classes = [(points.x, points.masses) for points in measure.classes]
    first, second = (
        sum(float(mass @ x**power) for x, mass in classes) / float(measure.total)
        for power in (1, 2)
    )
    return first, second


def check_settings(
    measure: Measure,
    starts: Sequence[Any] | np.ndarray | None,
    optimizers: Sequence[str],
    learning_rate: float | Sequence[float] | None,
    l2: Sequence[float],
    steps: int | None,
) -> Settings:
    """Checks the arguments of `paths`."""
    if steps is None:
        steps = STEPS if measure.points <= MANY else STEPS_OF_MANY
    steps = whole_number("steps", steps, 1, MOST_STEPS)
    if steps < LEAST_STEPS:
        raise InputError(
            f"steps is {steps}, too few to judge a path by; give at least {LEAST_STEPS}"
        )
    several = isinstance(learning_rate, Sequence)
    rates = (learning_rate,) if isinstance(learning_rate, float | int) else learning_rate
    names = [optimizers] if isinstance(optimizers, str) else optimizers
    return Settings(
        optimizers=_distinct("optimizer", names),
        rates=None if rates is None else _distinct("learning_rate", rates),
        several=several,
        l2=_distinct("l2", [l2] if isinstance(l2, (int, float)) else l2),
        starts=_starts(measure, starts),
        records=_records(steps),
    )


def _distinct(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Valid values of a hyperparameter; raises InputError if there are none or two are equal."""
    checked = [canonical(name, value) for value in values]
    require_distinct(name, checked)
    # An optimiser keeps the name that the user gave, such as sgd, without its default parameters.
    return tuple(values if name == "optimizer" else checked)


def _starts(
    measure: Measure, starts: Sequence[Any] | np.ndarray | None
) -> Float[np.ndarray, "s 2"]:
    """Starts of the paths; raises InputError if one is no pair of finite numbers."""
    if starts is None:
        mean, square = moments(measure)
        unit = math.sqrt(max(square - mean**2, 0.0)) or 1.0
        slopes = [float(f"{a / unit:.2g}") for a, _ in CORNERS]
        return np.array(
            [[a, round(b - a * mean, 2)] for a, (_, b) in zip(slopes, CORNERS, strict=True)]
        )
    try:
        pairs = np.array(starts, dtype=np.float64)
    except (TypeError, ValueError):
        pairs = np.empty((0, 2))
    if pairs.shape[1:] != (2,) or len(pairs) == 0 or not np.isfinite(pairs).all():
        raise InputError(f"starts is {starts!r}; pairs (a, b) of finite numbers are needed")
    return pairs


def _records(steps: int) -> Int[np.ndarray, " r"]:
    """Recorded steps: 0, and RECORDS of each decade up to the last step."""
    count = 1 + math.ceil(RECORDS * math.log10(steps))
    spaced = np.rint(np.geomspace(1, steps, count)).astype(np.int64)
    return np.unique(np.concatenate([[0], spaced]))


# --- steps --------------------------------------------------------------------------------------


class SignedPoints(NamedTuple):
    """Points of both classes on the device."""

    x: Any  # positions, shape (m,)
    sign: Any  # +1 for class 1, -1 for class 0, shape (m,)
    mass: Any  # shares of the total mass, shape (m,)

    @classmethod
    def of(cls, measure: Measure) -> SignedPoints:
        """The points of a measure, in float64."""
        x, mass, sign = measure.signed
        return cls(x, sign, mass / float(measure.total))


class _State(NamedTuple):
    """What goes from step to step."""

    ab: Any  # (a, b)
    moments: Any  # what the optimiser remembers


def descend(
    settings: Settings, measure: Measure, budget: int, step: Step
) -> tuple[Measure, Float[np.ndarray, "o r l s t 2"], Float[np.ndarray, "o r l"]]:
    """Follows the paths of all optimisers.

    A law is integrated again where paths are steeper than its quadrature allows.
    """
    rates = np.stack([settings.rates_of(name, measure) for name in settings.optimizers])
    steepest = 0.0
    for attempt in range(ROUNDS):
        report = step if attempt == 0 else ignore
        ab = np.stack(
            [
                _descend_one(settings, name, measure, rates[k], budget, report)
                for k, name in enumerate(settings.optimizers)
            ]
        )
        steepest = steepest_slope(ab[..., 0])
        if measure.quadrature is None or measure.quadrature.reaches(steepest):
            return measure, ab, rates
        measure = Measure.from_population(measure.quadrature.law, 2 * steepest)
    raise InputError(
        f"a path is as steep as a = {steepest:.3g}, beyond what the law is integrated for; give "
        "fewer steps, or a sample of the law"
    )


def steepest_slope(a: Float[np.ndarray, " ..."]) -> float:
    """The largest finite |a|; 0 without any."""
    return float(np.max(np.abs(a), where=np.isfinite(a), initial=0.0))


def _descend_one(
    settings: Settings,
    optimizer: str,
    measure: Measure,
    rates: Float[np.ndarray, "r l"],
    budget: int,
    step: Step,
) -> Float[np.ndarray, "r l s t 2"]:
    """(a, b) of all paths of one optimiser."""
    cells = list(product(*map(range, settings.shape)))
    starts = np.array([settings.starts[s] for _, _, s in cells])
    rate = np.array([rates[r, k] for r, k, _ in cells])
    l2 = np.array([settings.l2[k] for _, k, _ in cells])
    ab = trajectories(optimizer, measure, starts, rate, l2, settings.records, budget, step)
    return ab.reshape(*settings.shape, len(settings.records), 2)


def trajectories(
    optimizer: str,
    measure: Measure,
    starts: Float[np.ndarray, "k 2"],
    rates: Float[np.ndarray, " k"],
    l2: Float[np.ndarray, " k"],
    records: Int[np.ndarray, " r"],
    budget: int,
    step: Step = ignore,
) -> Float[np.ndarray, "k r 2"]:
    """(a, b) of every path at the recorded steps."""
    ab = np.empty((len(starts), len(records), 2))
    size = max(1, budget // (8 * COPIES * max(1, measure.points)))  # paths; 8 bytes per number
    # Optax raises decay rates to the power of an integer step, which strict promotion forbids.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        points = jax.tree.map(jnp.asarray, SignedPoints.of(measure))
        for first in range(0, len(starts), size):
            rows = slice(first, first + size)
            start, advance = _compiled(optimizer)
            state = start(starts[rows])
            ab[rows, 0] = starts[rows]
            longest = max(1, PAIRS // (len(starts[rows]) * max(1, measure.points)))
            for k, count in enumerate(np.diff(records), start=1):
                for steps in _chunks(int(count), longest):
                    state = advance(points, rates[rows], l2[rows], state, np.int64(steps))
                    ab[rows, k] = np.asarray(state.ab)
                    step(steps * len(starts[rows]))
    return ab


def _chunks(count: int, longest: int) -> Iterator[int]:
    """Numbers that add up to a count, none above the longest."""
    while count > 0:
        yield min(count, longest)
        count -= longest


def objective(ab: Float[Array, " 2"], points: SignedPoints, l2: Float[Array, ""]) -> Any:
    """Mean cross-entropy in nats plus l2 / 2 * a^2 at (a, b).

    It is a function of the margins, so that the gradient of a point far on its own side keeps all
    its digits.
    """
    margin = points.sign * (ab[0] * points.x + ab[1])
    return jnp.sum(points.mass * softplus(-margin)) + l2 / 2 * ab[0] ** 2


@lru_cache(maxsize=64)
def _compiled(optimizer: str) -> Sequence[Callable[..., Any]]:
    """Two functions of paths side by side: their state at (a, b), and their state some steps on."""
    transform: Any = transformation(optimizer)
    start = jax.jit(jax.vmap(lambda ab: _State(ab, transform.init(ab))))
    advance = jax.vmap(partial(_advance, transform), in_axes=(None, 0, 0, 0, None))
    return start, jax.jit(advance)


def _advance(
    transform: Any,
    points: SignedPoints,
    rate: Float[Array, ""],
    l2: Float[Array, ""],
    state: _State,
    count: Int[Array, ""],
) -> _State:
    """Takes `count` steps of one path; `transform` is a gradient transformation of optax."""

    def once(_: Any, state: _State) -> _State:
        gradient = jax.grad(objective)(state.ab, points, l2)
        update, moments = transform.update(gradient, state.moments, state.ab)
        return _State(state.ab - rate * update, moments)

    return jax.lax.fori_loop(0, count, once, state)
