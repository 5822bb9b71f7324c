"""The curves and landscapes of a diagnosis as arrays.

Figures and pages draw them; they compute nothing themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.base.errors import InputError
from sweep.base.intervals import wilson
from sweep.data.predictions import Predictions
from sweep.diagnosis.report import Diagnosis, TemperatureOptimum
from sweep.landscapes.landscape import landscape
from sweep.metrics.logistic import sigmoid, softplus

if TYPE_CHECKING:
    import xarray as xr  # slow to import

TOLERANCE = 1e-6  # invisible in a figure, and above the rounding of weighted counts
MIN_HALF_WIDTH = 5.0  # of the intercepts shown: thresholds from 0.7% to 99.3%
MAX_EXPONENTIALS = 2 * 10**8  # of a curve for several classes: a few seconds
CHUNK_LOGITS = 2**15  # of several classes: 256 KiB, so that temporary arrays stay in a cache
LORENZ_POINTS = 500  # at most


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of samples in m bins, by class."""

    # edges of the bins, ascending; a bin includes its lower edge, the last one both
    edges: Float[np.ndarray, " e"]
    counts: Int[np.ndarray, "c m"]  # samples of each class in each bin


@dataclass(frozen=True, eq=False)
class Lorenz:
    """The Lorenz curve of the loss: the share of it in the samples with the smallest losses."""

    # cumulative share of the samples, by weight, smallest loss first, from 0 to 1
    samples: Float[np.ndarray, " m"]
    # their share of the total loss, from 0 to 1; nan if the total is 0
    loss: Float[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted probabilities and observed frequencies, in m bins of about equal weight."""

    predicted: Float[np.ndarray, " m"]  # mean probability in each bin, ascending
    observed: Float[np.ndarray, " m"]  # frequency of the predicted class in the bin, by weight
    # lower end of its 95% Wilson interval; weighted samples count as their effective number, (sum
    # w)^2 / sum w^2
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]  # upper end of that interval
    count: Int[np.ndarray, " m"]  # samples in the bin


# --- landscapes ---------------------------------------------------------------------------------


def plane(diagnosis: Diagnosis, cells: int = 101) -> xr.Dataset:
    """The landscape over (a, b) around (0, 0), (1, 0) and the optimum; two classes only."""
    return _landscape(diagnosis, *axes_around(optimal(diagnosis), cells))


def along_slope(diagnosis: Diagnosis, cells: int = 201) -> xr.Dataset:
    """Cross-entropy and accuracy against a, at b = 0."""
    best, predictions = optimal(diagnosis), diagnosis.predictions
    if predictions.binary:
        return _landscape(diagnosis, axes_around(best, cells)[0], np.zeros(1))
    affordable = max(21, MAX_EXPONENTIALS // predictions.logits.size)
    return _temperatures(predictions, axes_around(best, min(cells, affordable))[0])


def along_intercept(diagnosis: Diagnosis, cells: int = 201) -> xr.Dataset:
    """Cross-entropy and accuracy against b, at a = 1: against the threshold; two classes only."""
    candidates = (0.0, diagnosis.recalibration.intercept_alone, -best_cut(diagnosis))
    exact = [b for b in candidates if math.isfinite(b)]
    half_width = max(MIN_HALF_WIDTH, 1.2 * max(map(abs, exact)))
    intercepts = np.union1d(np.linspace(-half_width, half_width, cells), exact)
    line = _landscape(diagnosis, np.ones(1), intercepts)
    attributes = {"units": "1", "long_name": "threshold of the probability"}
    return line.assign_coords(threshold=("b", sigmoid(-intercepts), attributes))


def optimal(diagnosis: Diagnosis) -> tuple[float, float]:
    """(a*, b*), the optimum of cross-entropy; nan without one, and b* = 0 for several classes."""
    best = diagnosis.optimum
    if isinstance(best, TemperatureOptimum):
        return best.a, 0.0 if math.isfinite(best.a) else math.nan
    return best.cross_entropy.a, best.cross_entropy.b


def best_cut(diagnosis: Diagnosis) -> float:
    """The most accurate cut of the logit, class 1 above it; of several the one nearest to 0.

    nan if only a constant prediction is most accurate, and for several classes.
    """
    if diagnosis.threshold is None:
        return math.nan
    cuts = [_nearest_to_zero(low, high) for low, high, up in diagnosis.threshold.logits if up > 0]
    return min(cuts, key=abs, default=math.nan)


def _nearest_to_zero(low: float, high: float) -> float:
    """The cut in [low, high) nearest to 0; as z > cut is class 1, z = low is class 0."""
    if low > 0:
        return low
    if high > 0:
        return 0.0
    # Not a subnormal number, which the device may flush to 0.
    return max(low, min(float(np.nextafter(high, -np.inf)), -float(np.finfo(float).tiny)))


def _landscape(
    diagnosis: Diagnosis, a: Float[np.ndarray, " P"], b: Float[np.ndarray, " Q"]
) -> xr.Dataset:
    if not diagnosis.predictions.binary:
        raise InputError(
            f"there are {len(diagnosis.classes)} classes, but a landscape over (a, b) needs two; "
            "use the curve over a"
        )
    return landscape(diagnosis.predictions.sample, a, b, tolerance=TOLERANCE, progress=False)


def axes_around(
    optimum: tuple[float, float], cells: int
) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " Q"]]:
    """Slopes and intercepts around (0, 0), (1, 0) and an optimum, with a margin on all sides."""
    a, b = optimum
    slopes = [0.0, 1.0, a] if math.isfinite(a) else [0.0, 1.0]
    margin = (max(slopes) - min(slopes)) / 2
    half_width = max(MIN_HALF_WIDTH, 1.5 * abs(b)) if math.isfinite(b) else MIN_HALF_WIDTH
    axis_a = np.linspace(min(slopes) - margin, max(slopes) + margin, cells)
    return axis_a, np.linspace(-half_width, half_width, cells)


def _temperatures(predictions: Predictions, a: Float[np.ndarray, " P"]) -> xr.Dataset:
    """Cross-entropy and accuracy of softmax(a z), chunk by chunk of the samples."""
    import xarray as xr  # slow to import

    loss, accuracy = np.zeros((2, len(a)))
    mass = predictions.mass / np.sum(predictions.mass)
    rows = max(1, CHUNK_LOGITS // predictions.logits.shape[1])
    for start in range(0, len(predictions), rows):
        chunk = slice(start, start + rows)
        z, y, weight = predictions.logits[chunk], predictions.y[chunk], mass[chunk]
        margins = _margins(z, y)
        loss += [float(weight @ softplus(_log_sum(margins, slope))) for slope in a]
        # The predicted class depends on the sign of the slope only.
        by_sign = {sign: weight @ ((sign * z).argmax(axis=1) == y) for sign in (-1, 0, 1)}
        accuracy += [float(by_sign[int(np.sign(slope))]) for slope in a]
    attributes = {
        "cross_entropy": {"units": "nats", "long_name": "cross-entropy", "kind": "smooth"},
        "accuracy": {"units": "1", "long_name": "accuracy", "kind": "counting"},
    }
    values = {"cross_entropy": loss, "accuracy": accuracy}
    return xr.Dataset(
        {name: ("a", values[name], attributes[name]) for name in values},
        coords={"a": ("a", a, {"units": "1", "long_name": "slope a"})},
    )


# --- samples ------------------------------------------------------------------------------------


def loss_histogram(diagnosis: Diagnosis, bins: int = 60) -> Histogram:
    """Histogram of the losses of each class, from 0 to the largest."""
    loss, y = diagnosis.predictions.losses, diagnosis.predictions.y
    edges = np.linspace(0.0, float(loss.max()) or 1.0, bins + 1)
    counts = [np.histogram(loss[y == k], edges)[0] for k in range(len(diagnosis.classes))]
    return Histogram(edges, np.array(counts, np.int64))


def lorenz(diagnosis: Diagnosis) -> Lorenz:
    """The Lorenz curve of the loss, with the densest points where the worst samples are."""
    sample_loss = diagnosis.predictions.losses
    order = np.argsort(sample_loss)
    weight = diagnosis.predictions.mass[order]
    samples, loss = (
        np.concatenate([[0.0], np.cumsum(adds)]) for adds in (weight, weight * sample_loss[order])
    )
    kept = _closing_in(len(samples))
    with np.errstate(invalid="ignore"):
        return Lorenz(samples[kept] / samples[-1], loss[kept] / loss[-1])


def reliability(
    diagnosis: Diagnosis, a: float = 1.0, b: float = 0.0, bins: int = 10
) -> Reliability:
    """Predicted probabilities against observed frequencies, of sigmoid(a z + b) or softmax(a z).

    With two classes the probability of class 1, with several that of the predicted class.
    """
    if not (math.isfinite(a) and math.isfinite(b)):
        raise InputError(f"the recalibration is ({a}, {b}); give finite numbers")
    predictions = diagnosis.predictions
    logit, came_true = _decided(predictions, a, b)
    bin_index = _equal_bins(logit, predictions.mass, bins)
    return _observed(sigmoid(logit), came_true, predictions.mass, bin_index)


def _decided(
    predictions: Predictions, a: float, b: float
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The log-odds of the predicted class, and whether it is the true one."""
    if predictions.binary:
        return a * predictions.logits + b, predictions.y == 1
    chosen = (np.sign(a) * predictions.logits).argmax(axis=1)
    return -_log_sum(_margins(predictions.logits, chosen), a), chosen == predictions.y


def _equal_bins(
    values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"], bins: int
) -> Int[np.ndarray, " n"]:
    """Index of the bin of each value, 0 to m - 1: about equal weight, equal values in one bin."""
    _, level = np.unique(values, return_inverse=True)
    mass = np.bincount(level, weight)
    quantile = (np.cumsum(mass) - mass / 2) / mass.sum()
    _, bin_index = np.unique(np.floor(bins * quantile), return_inverse=True)
    return bin_index[level]


def _observed(
    probability: Float[np.ndarray, " n"],
    came_true: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    bin_index: Int[np.ndarray, " n"],
) -> Reliability:
    mass = np.bincount(bin_index, weight)
    kept = mass > 0
    total = mass[kept]
    share = np.bincount(bin_index, weight * came_true)[kept] / total
    effective_n = total**2 / np.bincount(bin_index, weight**2)[kept]
    return Reliability(
        np.bincount(bin_index, weight * probability)[kept] / total,
        share,
        *wilson(share, effective_n),
        np.bincount(bin_index)[kept].astype(np.int64),
    )


def _closing_in(points: int) -> Int[np.ndarray, " m"]:
    """Indices of at most `LORENZ_POINTS` points: half of them even, half ever closer to the end."""
    if points <= LORENZ_POINTS:
        return np.arange(points)
    even = np.linspace(0, points - 1, LORENZ_POINTS // 2)
    closing = points - np.geomspace(1, points, LORENZ_POINTS // 2)
    return np.union1d(np.round(even).astype(np.int64), np.round(closing).astype(np.int64))


def _margins(z: Float[np.ndarray, "n k"], y: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n r"]:
    """Logits of the r = k - 1 other classes, less that of y."""
    others = np.arange(z.shape[1]) != y[:, None]
    return z[others].reshape(len(z), -1) - z[np.arange(len(z)), y][:, None]


def _log_sum(margins: Float[np.ndarray, "n r"], a: float) -> Float[np.ndarray, " n"]:
    """log(sum exp(a m)) of each row: the log-odds against its class, without cancellation."""
    scaled = a * margins
    top = scaled.max(axis=1)
    scaled -= top[:, None]
    return top + np.log(np.exp(scaled, out=scaled).sum(axis=1))
