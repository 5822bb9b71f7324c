"""What figures and pages show of a diagnosis, as arrays: they draw, and this computes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.base.errors import InputError
from sweep.base.intervals import wilson
from sweep.data.predictions import Predictions
from sweep.diagnosis import scores
from sweep.diagnosis.report import Diagnosis, TemperatureOptimum
from sweep.landscapes.landscape import landscape
from sweep.metrics.logistic import sigmoid, softplus

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-6
"""Error that no eye sees, and that also weighted counts of many samples keep."""

LOGITS = 5.0
"""Intercepts of at least so much either way are shown: thresholds from 0.7% to 99.3%."""

WORK = 2 * 10**8
"""Exponentials that a curve over several classes may take: a few seconds."""

AT_ONCE = 2**15
"""Logits of several classes that are worked on together."""

POINTS = 500
"""Most points of a Lorenz curve."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of samples in bins, by class.

    Attributes:
        edges: of the bins, ascending, shape (e,), e = m + 1; a bin has its lower edge, the last
            bin both.
        counts: shape (c, m), a row a class.
    """

    edges: Float[np.ndarray, " e"]
    counts: Int[np.ndarray, "c m"]


@dataclass(frozen=True, eq=False)
class Lorenz:
    """The Lorenz curve of the loss: what share of it the samples with the least of it have.

    Attributes:
        samples: cumulative share of the samples, by weight, from the smallest loss on; from 0 to 1,
            shape (m,).
        loss: their share of the total loss, from 0 to 1, shape (m,); nan if that is 0.
    """

    samples: Float[np.ndarray, " m"]
    loss: Float[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often a predicted probability comes true, in bins of axes_around equal weight.

    Attributes:
        predicted: mean probability in each bin, ascending, shape (m,).
        observed: share of the bin, by weight, where it came true, shape (m,).
        low: lower end of its 95% interval by Wilson, shape (m,); weights count as the number of
            equal ones that would vary as much, (sum w)^2 / sum w^2.
        high: upper end.
        count: samples in the bin, shape (m,).
    """

    predicted: Float[np.ndarray, " m"]
    observed: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
    count: Int[np.ndarray, " m"]


# --- landscapes ---------------------------------------------------------------------------------


def plane(diagnosis: Diagnosis, cells: int = 101) -> xr.Dataset:
    """The landscape over (a, b) about (0, 0), (1, 0) and the optimum; two classes only.

    Args:
        diagnosis: of two classes.
        cells: on each axis.

    Returns:
        `cross_entropy` and `accuracy` as `sweep.landscape` gives them.

    Raises:
        InputError: there are more than two classes.
    """
    return _landscape(diagnosis, *axes_around(optimal(diagnosis), cells))


def along_slope(diagnosis: Diagnosis, cells: int = 201) -> xr.Dataset:
    """Cross-entropy and accuracy against a, at b = 0.

    Args:
        diagnosis: of any number of classes.
        cells: slopes; for several classes fewer, but 21 at least, where there are many samples.

    Returns:
        Of two classes the landscape with dims a and b, one b; else with the dim a only, of
        softmax(a z), where equal logits predict the first of their classes.
    """
    best, predictions = optimal(diagnosis), diagnosis.predictions
    if predictions.binary:
        return _landscape(diagnosis, axes_around(best, cells)[0], np.zeros(1))
    affordable = max(21, WORK // predictions.logits.size)
    return _temperatures(predictions, axes_around(best, min(cells, affordable))[0])


def along_intercept(diagnosis: Diagnosis, cells: int = 201) -> xr.Dataset:
    """Cross-entropy and accuracy against b, at a = 1: against the threshold; two classes only.

    Args:
        diagnosis: of two classes.
        cells: intercepts, beside those that must not be missed: 0, the best one for cross-entropy
            and the best threshold nearest to 0.5.

    Returns:
        The landscape with dims a and b, one a, and the coordinate `threshold` along b: deciding by
        z + b > 0 is deciding by a probability above sigmoid(-b).

    Raises:
        InputError: there are more than two classes.
    """
    alone, best = diagnosis.recalibration.intercept_alone, best_cut(diagnosis)
    exact = [at for at in (0.0, alone, -best) if math.isfinite(at)]
    reach = max(LOGITS, 1.2 * max(map(abs, exact)))
    intercepts = np.union1d(np.linspace(-reach, reach, cells), exact)
    line = _landscape(diagnosis, np.ones(1), intercepts)
    attributes = {"units": "1", "long_name": "threshold of the probability"}
    return line.assign_coords(threshold=("b", sigmoid(-intercepts), attributes))


def optimal(diagnosis: Diagnosis) -> tuple[float, float]:
    """(a*, b*), the optimum of cross-entropy; b* is 0 for several classes, nan without one."""
    best = diagnosis.optimum
    if isinstance(best, TemperatureOptimum):
        return best.a, 0.0 if math.isfinite(best.a) else math.nan
    return best.cross_entropy.a, best.cross_entropy.b


def best_cut(diagnosis: Diagnosis) -> float:
    """The cut of the logit, class 1 above it, that is most accurate and nearest to 0.

    nan if constant predictions only are as accurate, or for several classes.
    """
    if diagnosis.threshold is None:
        return math.nan
    cuts = [_nearest(low, high) for low, high, up in diagnosis.threshold.logits if up > 0]
    return min(cuts, key=abs, default=math.nan)


def _nearest(low: float, high: float) -> float:
    """The cut in [low, high) nearest to 0: as z > cut, a sample on its low end is class 0."""
    if low > 0:
        return low
    if high > 0:
        return 0.0
    # No subnormal number, which the device may take for 0.
    return max(low, min(float(np.nextafter(high, -np.inf)), -float(np.finfo(float).tiny)))


def _landscape(
    diagnosis: Diagnosis, a: Float[np.ndarray, " P"], b: Float[np.ndarray, " Q"]
) -> xr.Dataset:
    if not diagnosis.predictions.binary:
        raise InputError(
            f"there are {len(diagnosis.classes)} classes, and a landscape over (a, b) is for two; "
            "take the one over a"
        )
    return landscape(diagnosis.predictions.sample, a, b, tolerance=TOLERANCE, progress=False)


def axes_around(
    optimum: tuple[float, float], cells: int
) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " Q"]]:
    """Slopes and intercepts about (0, 0), (1, 0) and an optimum, with room on all sides.

    Args:
        optimum: (a*, b*); left out where it is not finite.
        cells: on each axis.
    """
    a, b = optimum
    ends = [0.0, 1.0, a] if math.isfinite(a) else [0.0, 1.0]
    room = (max(ends) - min(ends)) / 2
    reach = max(LOGITS, 1.5 * abs(b)) if math.isfinite(b) else LOGITS
    slopes = np.linspace(min(ends) - room, max(ends) + room, cells)
    return slopes, np.linspace(-reach, reach, cells)


def _temperatures(predictions: Predictions, a: Float[np.ndarray, " P"]) -> xr.Dataset:
    """Cross-entropy and accuracy of softmax(a z), without the exponentials of all at once."""
    import xarray as xr

    loss, right = np.zeros((2, len(a)))
    mass = predictions.mass / np.sum(predictions.mass)
    rows = max(1, AT_ONCE // predictions.logits.shape[1])
    for start in range(0, len(predictions), rows):
        part = slice(start, start + rows)
        z, y = predictions.logits[part], predictions.y[part]
        weight, margins = mass[part], _margins(z, y)
        loss += [float(weight @ softplus(_log_sum(margins, slope))) for slope in a]
        chosen = {sign: weight @ ((sign * z).argmax(axis=1) == y) for sign in (-1, 0, 1)}
        right += [float(chosen[int(np.sign(slope))]) for slope in a]
    return xr.Dataset(
        {
            "cross_entropy": (
                "a",
                loss,
                {"units": "nats", "long_name": "cross-entropy", "kind": "smooth"},
            ),
            "accuracy": (
                "a",
                right,
                {"units": "1", "long_name": "accuracy", "kind": "counting"},
            ),
        },
        coords={"a": ("a", a, {"units": "1", "long_name": "slope a"})},
    )


# --- samples ------------------------------------------------------------------------------------


def losses(diagnosis: Diagnosis) -> Float[np.ndarray, " n"]:
    """The cross-entropy of each sample, in nats."""
    return scores.losses(diagnosis.predictions)


def loss_histogram(diagnosis: Diagnosis, bins: int = 60) -> Histogram:
    """How many samples of each class have which loss, from 0 to the largest."""
    each, y = losses(diagnosis), diagnosis.predictions.y
    edges = np.linspace(0.0, float(each.max()) or 1.0, bins + 1)
    counts = [np.histogram(each[y == k], edges)[0] for k in range(len(diagnosis.classes))]
    return Histogram(edges, np.array(counts, np.int64))


def lorenz(diagnosis: Diagnosis) -> Lorenz:
    """The Lorenz curve of the loss, closest where the worst samples are."""
    each = losses(diagnosis)
    order = np.argsort(each)
    weight = diagnosis.predictions.mass[order]
    samples, loss = (
        np.concatenate([[0.0], np.cumsum(part)]) for part in (weight, weight * each[order])
    )
    kept = _spread(len(samples))
    with np.errstate(invalid="ignore"):
        return Lorenz(samples[kept] / samples[-1], loss[kept] / loss[-1])


def reliability(
    diagnosis: Diagnosis, a: float = 1.0, b: float = 0.0, bins: int = 10
) -> Reliability:
    """Predicted probabilities beside what came true, of sigmoid(a z + b) or softmax(a z).

    Of two classes the probability of class 1; of several that of the predicted class.

    Args:
        diagnosis: of any number of classes.
        a: finite slope.
        b: finite intercept; not used for several classes.
        bins: most bins there are: equal logits stay in one bin.

    Raises:
        InputError: a or b is not finite.
    """
    if not (math.isfinite(a) and math.isfinite(b)):
        raise InputError(f"the recalibration is ({a}, {b}); finite numbers are needed")
    predictions = diagnosis.predictions
    logit, came_true = _decided(predictions, a, b)
    place = _equal_bins(logit, predictions.mass, bins)
    return _observed(sigmoid(logit), came_true, predictions.mass, place)


def _decided(
    predictions: Predictions, a: float, b: float
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The log-odds of what is predicted, and whether it came true."""
    if predictions.binary:
        return a * predictions.logits + b, predictions.y == 1
    chosen = (np.sign(a) * predictions.logits).argmax(axis=1)
    return -_log_sum(_margins(predictions.logits, chosen), a), chosen == predictions.y


def _equal_bins(
    at: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"], bins: int
) -> Int[np.ndarray, " n"]:
    """The bin of each value, 0 to m - 1: of axes_around equal weight, and equal values in one."""
    _, which = np.unique(at, return_inverse=True)
    mass = np.bincount(which, weight)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    _, place = np.unique(np.floor(bins * middle), return_inverse=True)
    return place[which]


def _observed(
    probability: Float[np.ndarray, " n"],
    came_true: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    place: Int[np.ndarray, " n"],
) -> Reliability:
    mass = np.bincount(place, weight)
    kept = mass > 0
    total = mass[kept]
    share = np.bincount(place, weight * came_true)[kept] / total
    effective = total**2 / np.bincount(place, weight**2)[kept]
    return Reliability(
        np.bincount(place, weight * probability)[kept] / total,
        share,
        *wilson(share, effective),
        np.bincount(place)[kept].astype(np.int64),
    )


def _spread(points: int) -> Int[np.ndarray, " m"]:
    """Places among so many: all, or POINTS of them, the last half ever closer to the end."""
    if points <= POINTS:
        return np.arange(points)
    even = np.linspace(0, points - 1, POINTS // 2)
    closing = points - np.geomspace(1, points, POINTS // 2)
    return np.union1d(np.round(even).astype(np.int64), np.round(closing).astype(np.int64))


def _margins(z: Float[np.ndarray, "n k"], y: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n r"]:
    """Logits of the r = k - 1 other classes less that of y."""
    others = np.arange(z.shape[1]) != y[:, None]
    return z[others].reshape(len(z), -1) - z[np.arange(len(z)), y][:, None]


def _log_sum(margins: Float[np.ndarray, "n r"], a: float) -> Float[np.ndarray, " n"]:
    """Log sum exp(a m) of each row: the log-odds against its class, no digits cancelled."""
    scaled = a * margins
    top = scaled.max(axis=1)
    scaled -= top[:, None]
    return top + np.log(np.exp(scaled, out=scaled).sum(axis=1))
