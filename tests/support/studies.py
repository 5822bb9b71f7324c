"""Invented records of studies, as figures take them: no sample is drawn or solved."""

import numpy as np
import xarray as xr

from sweep.asymptotics.limits import Limit, Limits
from sweep.asymptotics.rates import Rate
from sweep.asymptotics.study import Study
from sweep.asymptotics.verdict import Verdict
from tests.support import tables

SIZES = (100, 316, 1000, 3162, 10_000, 31_623)

SHARED = (
    Limit("cut_error_cross_entropy", -1 / 2, 1.66),
    Limit("cut_error_accuracy", -1 / 3, 1.31),
    Limit("regret_cross_entropy", -1.0, 0.541),
    Limit("regret_accuracy", -2 / 3, 0.332),
    Limit("gap", -2 / 3, 0.996, second=-1.041),
    Limit("shared", None, 0.0),
)
NOT_SHARED = (
    Limit("cut_error_cross_entropy", -1 / 2, 1.66),
    Limit("cut_error_accuracy", -1 / 3, None, note="Two accuracy optima."),
    Limit("regret_cross_entropy", 0.0, 0.0123),
    Limit("regret_accuracy", -2 / 3, None),
    Limit("gap", 0.0, 0.0123),
    Limit("shared", None, 0.0),
)
CONSTANT = (
    Limit("cut_error_cross_entropy", None, None),
    Limit("cut_error_accuracy", None, None),
    Limit("regret_cross_entropy", None, None, note="Exponentially small."),
    Limit("regret_accuracy", -1.0, None),
    Limit("gap", -1.0, 4.7506450802),
    Limit("shared", None, 0.0998),
)


def _means(limit, rng):
    """Means near the limit, and their standard errors."""
    n = np.array(SIZES, float)
    if limit.exponent is None:
        mean = 0.3 * np.exp(-n / 600)
        mean[mean < 1e-15] = 0.0
    else:
        mean = (0.8 if limit.constant is None else limit.constant) * n**limit.exponent
        mean = mean + (limit.second or 0.0) / n
    error = 0.02 * mean
    return mean + error * rng.normal(size=len(n)), error


def summary(limits, rng):
    """Like a result of `sweep.asymptotics.rates.summary`."""
    columns = [_means(limit, rng) for limit in limits]
    mean, error = (np.stack([column[k] for column in columns], axis=1) for k in (0, 1))
    return xr.Dataset(
        {"mean": (("n", "quantity"), mean), "standard_error": (("n", "quantity"), error)},
        coords={"n": list(SIZES), "quantity": [limit.quantity for limit in limits]},
    )


def rate(limit, constant=0.8):
    """Like a rate of `sweep.asymptotics.rates.rates`."""
    slope = limit.exponent
    return Rate(
        quantity=limit.quantity,
        sizes=(SIZES[0], SIZES[-1]),
        slope=slope,
        slope_error=None if slope is None else 0.004,
        exponent=limit.exponent,
        constant=None if slope is None else constant,
        constant_error=None if slope is None else 0.01,
        theory_constant=limit.constant,
        note=limit.note,
    )


def study(
    limits=SHARED,
    name="share",
    law="uniform_logit(a=1,b=0,low=-1,high=1)",
    law_id="W1",
    regret=0.0,
    regret_interval=(1e-5, 3e-5),
    delta_interval=(-2e-5, 2e-5),
    **optimum,
):
    """A study in agreement with the limits, with a verdict of this name."""
    rng = np.random.default_rng(0)
    means = summary(limits, rng)
    nan = float("nan")
    verdict = Verdict(
        name=name,
        sentence="They share it.",
        epsilon=1e-3,
        sizes=SIZES,
        replicates=100,
        without_optimum=(0,) * len(SIZES),
        regret=sum(regret_interval) / 2,
        regret_interval=regret_interval,
        delta_interval=delta_interval,
        drop=0.1,
        falling=True,
        flat=False,
        fits=(),
    )
    return Study(
        population=law,
        id=law_id,
        sizes=SIZES,
        replicates=100,
        seed=0,
        epsilon=1e-3,
        table=xr.Dataset(),
        summary=means,
        optimum=tables.optimum(**({"shared": regret == 0.0, "regret": regret} | optimum)),
        limits=Limits(nan, nan, nan, None, None, None, None, limits),
        rates=tuple(rate(limit) for limit in limits if limit.quantity != "shared"),
        gap_fit=None,
        verdict=verdict,
    )
