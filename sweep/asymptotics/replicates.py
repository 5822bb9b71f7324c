"""The optima of many samples at once, on the device.

Samples come in ascending order of x, as `sweep.populations.sampling` draws them. Everything is
done for the T samples that lie side by side in an array, and for one batch of them after the other.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from sweep.asymptotics import scan as accuracy
from sweep.asymptotics.chunks import pieces
from sweep.asymptotics.newton import minimise
from sweep.asymptotics.scan import STATUSES
from sweep.optima.records import OptimumStatus
from sweep.populations.sampling import SampleLayout


class Optima(NamedTuple):
    """The optima of samples, each field of shape (B, T).

    Attributes:
        a: slope of the cross-entropy optimum, nan without a finite one.
        b: its intercept.
        cross_entropy: its value, in nats.
        gradient: larger of the two derivatives there, x centred and in units of its deviation.
        converged: whether it was found; True also where there is none.
        status: index into STATUSES.
        ones: points of class 1.
        correct_cross_entropy: correct predictions at the cross-entropy optimum.
        correct_best: most correct predictions.
        low: the widest cell of optimal cuts is (low, high]; infinite for a constant prediction.
        high: as above.
        orientation: of that cell; +1 if class 1 is predicted above the cut.
        optimal_cells: how many cells between neighbouring points, and constants, are optimal.
        distance: from the cross-entropy cut to the nearest optimal cut of its orientation.
    """

    a: Float[Array, "B T"]
    b: Float[Array, "B T"]
    cross_entropy: Float[Array, "B T"]
    gradient: Float[Array, "B T"]
    converged: Bool[Array, "B T"]
    status: Int[Array, "B T"]
    ones: Int[Array, "B T"]
    correct_cross_entropy: Int[Array, "B T"]
    correct_best: Int[Array, "B T"]
    low: Float[Array, "B T"]
    high: Float[Array, "B T"]
    orientation: Int[Array, "B T"]
    optimal_cells: Int[Array, "B T"]
    distance: Float[Array, "B T"]


@partial(jax.jit, static_argnums=2)
def optima(x: Float[Array, "B C T L"], y: Bool[Array, "B C T L"], layout: SampleLayout) -> Optima:
    """The optima of samples in float64, x ascending in each."""
    return lax.map(lambda batch: _of_batch(batch[0], batch[1], layout), (x, y))


def _of_batch(x: Float[Array, "C T L"], y: Bool[Array, "C T L"], layout: SampleLayout) -> Optima:
    every = pieces(x, y, layout)
    scan = accuracy.scan(every, layout)
    best = accuracy.best(every, scan, layout)
    status = accuracy.status(every, scan, best, layout)
    finite = status == STATUSES.index(OptimumStatus.finite)
    found = minimise(every, scan.ones, layout)

    def known(value: Float[Array, " T"]) -> Float[Array, " T"]:
        return jnp.where(finite, value, jnp.nan)

    return Optima(
        a=known(found.a),
        b=known(found.b),
        cross_entropy=known(found.loss),
        gradient=known(found.gradient),
        converged=found.converged | ~finite,
        status=status,
        ones=scan.ones,
        correct_cross_entropy=accuracy.correct(every, scan, found.a, found.b, layout),
        correct_best=scan.correct,
        low=best.low,
        high=best.high,
        orientation=best.orientation,
        optimal_cells=best.cells,
        distance=known(accuracy.distance(every, scan, found.a, found.b)),
    )
