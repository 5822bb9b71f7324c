"""The laws of the catalogue a second time, in plain formulas of SciPy, and laws moved and scaled.

Nothing of the first part shares code with the package.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import integrate
from scipy.special import expit, ndtr

from sweep.populations import Population


@dataclass(frozen=True)
class Formula:
    """A density of x, P(y = 1 | x), and the points between which both are smooth."""

    f: Callable
    eta: Callable
    ends: tuple[float, ...]

    def mean(self, g, *breaks):
        """E g(x), by adaptive quadrature between the ends and the breaks."""
        low, high = self.ends[0], self.ends[-1]
        ends = sorted({*self.ends, *(float(b) for b in breaks if low < b < high)})
        parts = [
            integrate.quad(lambda x: self.f(x) * g(x), a, b, epsabs=1e-15, epsrel=1e-13, limit=200)
            for a, b in pairwise(ends)
        ]
        return sum(value for value, _ in parts)

    def cross_entropy(self, a, b):
        """Expected cross-entropy in nats."""
        near = [(z - b) / a for z in (-40, -10, 0, 10, 40)] if a else []
        return self.mean(
            lambda x: (
                self.eta(x) * np.logaddexp(0, -(a * x + b))
                + (1 - self.eta(x)) * np.logaddexp(0, a * x + b)
            ),
            *near,
        )

    def gradient(self, a, b):
        """Derivatives of cross-entropy by a and b."""
        near = [(z - b) / a for z in (-40, -10, 0, 10, 40)] if a else []
        return tuple(
            self.mean(lambda x, k=k: (expit(a * x + b) - self.eta(x)) * x**k, *near) for k in (1, 0)
        )

    def accuracy(self, a, b):
        """Expected accuracy."""
        if a == 0:
            return self.mean(lambda x: self.eta(x) if b > 0 else 1 - self.eta(x))
        return self.mean(
            lambda x: self.eta(x) if a * x + b > 0 else 1 - self.eta(x),
            -b / a,
        )


def _normal(mean=0.0, sd=1.0):
    # SciPy's own takes fifty times as long for a number.
    return lambda x: math.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * math.sqrt(2 * math.pi))


def _reach(*parts):
    """Ends, and points at which each normal part is, 39 standard deviations to either side."""
    steps = np.array([-39, -9, -5, -2.5, 0, 2.5, 5, 9, 39])
    return tuple(sorted(float(x) for mean, sd in parts for x in mean + sd * steps))


def _mixed(*parts):
    """Parts (weight, density, eta) as one density and one eta."""

    def density(x):
        return sum(w * f(x) for w, f, _ in parts)

    def eta(x):
        whole = density(x)
        return sum(w * f(x) * e(x) for w, f, e in parts) / whole if whole else 0.5

    return density, eta


def _cloglog(z):
    return -np.expm1(-np.exp(min(z, 50.0)))


def _flat(low, high):
    return lambda x: 1 / (high - low)


ONE = (-1.0, 0.0, 1.0)
FORMULAS = {
    "W1": Formula(_flat(-1, 1), expit, ONE),
    "W2": Formula(_flat(-1, 1), lambda x: expit(0.3 * x + 0.5), ONE),
    "W3": Formula(_normal(), expit, _reach((0, 1))),
    "W4": Formula(_normal(), lambda x: expit(2 * x - 1), _reach((0, 1))),
    "W5": Formula(
        *_mixed((0.95, _normal(), lambda x: 0), (0.05, _normal(1.5), lambda x: 1)),
        _reach((0, 1), (1.5, 1)),
    ),
    "W6": Formula(
        *_mixed((0.5, _normal(-1), lambda x: 0), (0.5, _normal(1), lambda x: 1)),
        _reach((-1, 1), (1, 1)),
    ),
    "M1": Formula(_normal(), lambda x: ndtr(x + 0.3), _reach((0, 1))),
    "D1": Formula(_normal(), lambda x: _cloglog(2 * x - 1), _reach((0, 1))),
    "D2": Formula(
        *_mixed((0.5, _normal(), lambda x: 0), (0.5, _normal(2, 3), lambda x: 1)),
        _reach((0, 1), (2, 3)),
    ),
    "D3": Formula(
        *_mixed((0.9, _normal(), lambda x: expit(3 * x)), (0.1, _normal(-8, 0.5), lambda x: 0.9)),
        _reach((0, 1), (-8, 0.5)),
    ),
    "D4": Formula(_flat(-3, 3), lambda x: 0.3 + 0.7 * expit(3 * x), (-3.0, -1.0, 0.0, 1.0, 3.0)),
    "D5": Formula(lambda x: np.exp(-x), lambda x: 0.1 + 0.8 * (x > 1), (0.0, 1.0, 5.0, 20.0, 60.0)),
    "D6": Formula(_flat(-1, 1), lambda x: 0.5 + 0.8 * x**3 - 0.32 * x, ONE),
    "D7": Formula(
        *_mixed(
            (0.8, _normal(), lambda x: expit(3 * x)),
            (0.1, _normal(-6, 0.5), lambda x: 0.9),
            (0.1, _normal(6, 0.5), lambda x: 0.1),
        ),
        _reach((0, 1), (-6, 0.5), (6, 0.5)),
    ),
    "S1": Formula(_normal(), ndtr, _reach((0, 1))),
    "S2": Formula(_flat(-1, 1), lambda x: 0.2 + 0.6 * (x > 0), ONE),
    "S3": Formula(
        lambda x: (_normal(-2)(x) + _normal(2)(x)) / 2,
        lambda x: 0.1 + 0.8 * expit(4 * x),
        _reach((-2, 1), (2, 1)),
    ),
    "S4": Formula(
        _normal(0.7, 1.5), lambda x: 0.5 + np.arctan(2 * (x - 0.7)) / np.pi, _reach((0.7, 1.5))
    ),
    "S5": Formula(
        lambda x: 0.5 if 1 < abs(x) < 2 else 0.0,
        lambda x: _cloglog(1.5 * x - 0.2),
        (-2.0, -1.0, 1.0, 2.0),
    ),
}


@dataclass(frozen=True)
class Moved:
    """The law of shift + scale * x, scale of either sign."""

    base: object
    shift: float
    scale: float

    def back(self, x):
        return (x - self.shift) / self.scale

    @property
    def support(self):
        return tuple(sorted(self.shift + self.scale * end for end in self.base.support))

    @property
    def breaks(self):
        return tuple(sorted(self.shift + self.scale * x for x in self.base.breaks))

    def quantile(self, u):
        return self.shift + self.scale * self.base.quantile(u if self.scale > 0 else 1 - u)

    def cdf(self, x):
        side = self.base.cdf if self.scale > 0 else self.base.survival
        return side(self.back(x))

    def survival(self, x):
        side = self.base.survival if self.scale > 0 else self.base.cdf
        return side(self.back(x))

    def log_density(self, x):
        return self.base.log_density(self.back(x)) - np.log(abs(self.scale))

    def density(self, x):
        return self.base.density(self.back(x)) / abs(self.scale)


def moved(law, shift, scale):
    """A population with shift + scale * x in place of x."""
    return Population(
        f"{law.name} moved",
        Moved(law.x, shift, scale),
        lambda x: law.eta((x - shift) / scale),
        tuple(sorted(shift + scale * x for x in law.breaks)),
    )
