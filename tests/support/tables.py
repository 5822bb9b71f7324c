"""Tables of a study whose laws are known: each quantity drawn with a given mean at each n."""

from math import nan

import numpy as np
import xarray as xr

from sweep.asymptotics.limits import Limit, Limits
from sweep.optima.records import (
    AccuracyOptimum,
    CrossEntropyOptimum,
    OptimumStatus,
    PopulationOptimum,
)

SIZES = (316, 1000, 3162, 10000, 31623)


def chi(rng, mean, replicates):
    """Like a regret of second order: the square of a normal error of the cut."""
    return mean * rng.standard_normal(replicates) ** 2


def half_normal(rng, mean, replicates):
    """Like a regret of first order, or the error of a cut."""
    return mean * np.abs(rng.standard_normal(replicates)) * (np.pi / 2) ** 0.5


def steady(rng, mean, replicates):
    """Without any spread."""
    return np.full(replicates, mean)


def missed(constant, rise=0.0):
    """Like a cut whose limit is off: constant * (1 - rise / sqrt(n)) in the mean, or nearly."""

    def drawn(rng, n, replicates):
        root = n**0.5
        return constant * (1 - rise / root) * (1 + rng.standard_normal(replicates) / root) ** 2

    return drawn


def power(constant, exponent, noise=chi):
    """Draws of mean constant * n^exponent."""
    return lambda rng, n, replicates: noise(rng, constant * n**exponent, replicates)


def rarely(chance, value):
    """Draws that are 0 but for a few: `value`, with a chance that depends on n."""
    return lambda rng, n, replicates: value * (rng.random(replicates) < chance(n))


W1 = {
    "cut_error_cross_entropy": power(1.6599, -1 / 2, half_normal),
    "cut_error_accuracy": power(1.3104, -1 / 3, half_normal),
    "regret_cross_entropy": power(0.541, -1),
    "regret_accuracy": power(0.332, -2 / 3),
    "gap": lambda rng, n, replicates: half_normal(
        rng, 0.9962 * n ** (-2 / 3) - 1.041 / n, replicates
    ),
}
"""Laws like those of U(-1, 1) with sigmoid(x)."""


def regrets(law, sizes=SIZES, replicates=100, seed=0, separated=None):
    """A table of a study with no column but the regret of cross-entropy, drawn by a law."""
    rng = np.random.default_rng(seed)
    values = np.stack([law(rng, n, replicates) for n in sizes])
    for row, n in zip(values, sizes, strict=True):
        row[: separated(n) if separated else 0] = nan
    return xr.Dataset(
        {"regret_cross_entropy": (("n", "replicate"), values)},
        coords={"n": np.array(sizes, np.int64), "replicate": np.arange(replicates)},
    )


def table(sizes=SIZES, replicates=100, seed=0, separated=None, **laws):
    """A table of a study.

    Args:
        sizes: all n.
        replicates: at each.
        seed: of all draws.
        separated: n -> how many replicates have no finite optimum; None for none.
        laws: quantity -> draws of (rng, n, replicates), in place of those of W1.
    """
    rng = np.random.default_rng(seed)
    columns = {
        name: np.stack([law(rng, n, replicates) for n in sizes])
        for name, law in (W1 | laws).items()
    }
    status = np.zeros((len(sizes), replicates), np.int8)
    for i, n in enumerate(sizes):
        status[i, : separated(n) if separated else 0] = 1
    finite = status == 0
    for name in ("cut_error_cross_entropy", "regret_cross_entropy", "gap"):
        columns[name] = np.where(finite, columns[name], nan)
    columns |= {
        "status": status,
        "shared": columns["gap"] == 0,
        "distance": columns["cut_error_cross_entropy"] * 0.5,
        "cross_entropy": np.where(finite, 0.65, nan),
        "accuracy_cross_entropy": np.where(finite, 0.625, nan),
        "accuracy_best": np.full(status.shape, 0.63),
    }
    return xr.Dataset(
        {name: (("n", "replicate"), values) for name, values in columns.items()},
        coords={"n": np.array(sizes, np.int64), "replicate": np.arange(replicates)},
    )


def limits(**constants):
    """What theory says of W1, but for the quantities given as (exponent, constant[, second])."""
    known = {
        "cut_error_cross_entropy": (-1 / 2, 1.6599),
        "cut_error_accuracy": (-1 / 3, 1.3104),
        "regret_cross_entropy": (-1.0, 0.541),
        "regret_accuracy": (-2 / 3, 0.332),
        "gap": (-2 / 3, 0.9962, -1.041),
        "shared": (None, None),
    } | constants
    return Limits(
        *(13.86, 4.328, 4.328, 0.0, 0.5, 0.25, 3.175),
        limits=tuple(Limit(name, *values) for name, values in known.items()),
    )


def optimum(shared=True, distance=0.0, regret=0.0, eta_excess=0.0, accuracy=0.62):
    """The optimum of a population."""
    return PopulationOptimum(
        n=1,
        cross_entropy=CrossEntropyOptimum(1.0, 0.0, 0.654, 0.0, 1, 0.0, 1, OptimumStatus.finite),
        accuracy=AccuracyOptimum(accuracy, accuracy, ((0.0, 0.0, 1),), (), (-1.0, 1.0)),
        shared=shared,
        regret=regret,
        distance=distance,
        law="law",
        eta_excess=eta_excess,
        bayes_accuracy=accuracy,
        conditional_entropy=0.654,
    )
