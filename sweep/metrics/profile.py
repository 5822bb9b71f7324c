"""Properties of a loss on which error bounds rest, computed from its formula on the complex plane.

Every smooth loss here is analytic in the strip |Im z| < pi, because its singularities are those of
log(1 + exp(z)), at odd multiples of i pi. Its size in the strip determines how fast interpolation
converges (Trefethen, Approximation Theory and Approximation Practice, theorem 8.2), and Cauchy's
integral gives its derivatives. On the real line it tends to 0 at one infinity and to a straight
line at the other. Each property is the maximum of a smooth function over a dense set of points;
SAFETY covers what lies between the points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from sweep.metrics.metrics import Loss

HEIGHT = 2.75  # half height of the strip in use; nearer to pi a loss grows without bound
SAFETY = 1.01  # factor on a maximum over a dense set of points
FAR = 64.0  # a logit where a loss equals its asymptote to the last bit of float64
ORDERS = (1, 4)  # derivatives whose maxima are kept
ANGLES = 64  # points on Cauchy's circle of radius 1; the error falls like (1 / pi)^ANGLES


@dataclass(frozen=True, eq=False)
class Profile:
    """Size, slopes and asymptotes of a loss."""

    good: int  # +1 or -1, the sign of the infinite logit at which the loss is 0
    level: float  # alpha of the asymptote alpha + beta |z| at the other infinity
    slope: float  # beta of that asymptote
    excess: float  # largest |loss(z) - asymptotes(Re z)| over |Im z| <= HEIGHT
    derivatives: dict[int, float]  # largest |d^q loss / dz^q| on the real line, by q
    # largest |z dloss/dz| - loss; a relative error e of z changes the loss by at most e * (loss +
    # bend)
    bend: float
    _tail: Float[np.ndarray, " k"]

    @property
    def lipschitz(self) -> float:
        """Largest |dloss/dz|: the factor by which a rounding error of z enters the loss."""
        return self.derivatives[1]

    def largest(self, half_width: float) -> float:
        """Bound on |loss(z)| where |Re z| <= half_width and |Im z| <= HEIGHT."""
        return self.excess + abs(self.level) + self.slope * half_width

    def far(self, tolerance: float) -> float:
        """|z| beyond which the loss is within `tolerance` of its asymptotes; inf if nowhere."""
        close = np.flatnonzero(self._tail <= tolerance)
        return float(_REAL[close[0]]) if len(close) else math.inf


_REAL = np.linspace(0.0, FAR, 1025)
_NEAR_0 = np.linspace(-2.0, 2.0, 1025)  # losses with sharp peaks have them here
_CENTRES = np.linspace(-FAR, FAR, 2049)


@cache
def profile(loss: Loss) -> Profile:
    """The profile of a loss, computed from its formula alone."""
    ends = loss(np.array([-FAR, FAR]))
    good = 1 if abs(ends[1]) < abs(ends[0]) else -1
    bad = loss(-good * np.array([FAR - 1, FAR]))
    slope = float(bad[1] - bad[0])
    level = float(bad[1] - slope * FAR)

    def asymptotes(x: Float[np.ndarray, " ..."]) -> Float[np.ndarray, " ..."]:
        return np.where(good * x > 0, 0.0, level + slope * np.abs(x))

    both = np.concatenate([-_REAL[::-1], _REAL])
    deviation = np.abs(loss(both) - asymptotes(both))
    deviation = np.maximum(deviation[: len(_REAL)][::-1], deviation[len(_REAL) :])
    tail = np.maximum.accumulate(deviation[::-1])[::-1]  # largest deviation beyond each |z|
    if not tail[-1] <= 1e-12:
        raise ValueError(f"{loss!r} is not 0 at one infinity and a straight line at the other")
    x = np.concatenate([both, _NEAR_0])
    heights = 1j * np.linspace(0.0, HEIGHT, 65)[:, None]
    excess = np.max(np.abs(loss(x + heights) - asymptotes(x)))
    derivatives = {q: _derivative(loss, q) for q in ORDERS}
    bend = np.max(np.abs(_CENTRES * derivatives[1]) - loss(_CENTRES))
    return Profile(
        good,
        level,
        slope,
        SAFETY * float(excess),
        {q: SAFETY * float(np.max(np.abs(values))) for q, values in derivatives.items()},
        SAFETY * float(bend),
        tail,
    )


def _derivative(loss: Loss, order: int) -> Float[np.ndarray, " k"]:
    """A derivative at `_CENTRES`, from the trapezoidal rule for Cauchy's integral."""
    circle = np.exp(2j * np.pi * (np.arange(ANGLES) + 0.5) / ANGLES)
    values = loss(_CENTRES[:, None] + circle)
    return math.factorial(order) * np.mean(values / circle**order, axis=1).real
