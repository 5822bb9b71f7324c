"""A family of laws for each form: its formula, then its parameters, with defaults and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, short
from sweep.populations.distributions.arrays import namespace
from sweep.populations.distributions.mixtures import Mixture
from sweep.populations.distributions.protocol import Distribution
from sweep.populations.distributions.standard import Exponential, Normal, Uniform
from sweep.populations.ids import IDS
from sweep.populations.joint_law import Population
from sweep.populations.links import cauchit, cloglog, linear, logistic, probit, step


def _law(
    name: str, x: Distribution, eta: Callable[[Any], Any], breaks: tuple[float, ...] = ()
) -> Population:
    return Population(name, x, eta, breaks, IDS.get(name))


def _number(name: str, default: float) -> Parameter:
    """Any number of a size that x, a and b may have."""
    return Parameter(name, default, -1e6, 1e6)


def _scale(name: str, default: float) -> Parameter:
    return Parameter(name, default, 1e-6, 1e6)


def _chance(name: str, default: float) -> Parameter:
    return Parameter(name, default, 0.0, 1.0)


def _portion(name: str, default: float) -> Parameter:
    """A probability of something that does happen, and not always."""
    return Parameter(name, default, 1e-9, 1 - 1e-9)


_LINE = (_number("a", 1.0), _number("b", 0.0))
_INTERVAL = (_number("low", -1.0), _number("high", 1.0))
_NORMAL = (_number("mean", 0.0), _scale("sd", 1.0))


def _uniform_logit(name: str, a: float, b: float, low: float, high: float) -> Population:
    return _law(name, Uniform(low, high), linear(logistic, a, b))


uniform_logit = Family("uniform_logit", (*_LINE, *_INTERVAL), _uniform_logit)


def _normal_logit(name: str, a: float, b: float, mean: float, sd: float) -> Population:
    return _law(name, Normal(mean, sd), linear(logistic, a, b))


normal_logit = Family("normal_logit", (*_LINE, *_NORMAL), _normal_logit)


def _two_normals(
    name: str, prior: float, mean0: float, sd0: float, mean1: float, sd1: float
) -> Population:
    """The logit of eta is a polynomial of x, whose square term vanishes for equal deviations."""
    square = (1 / sd0**2 - 1 / sd1**2) / 2
    a = mean1 / sd1**2 - mean0 / sd0**2
    constant = ((mean0 / sd0) ** 2 - (mean1 / sd1) ** 2) / 2
    b = constant + math.log(prior / (1 - prior)) + math.log(sd0 / sd1)

    def eta(x: Any) -> Any:
        return logistic((square * x + a) * x + b)

    return _law(name, Mixture((1 - prior, prior), (Normal(mean0, sd0), Normal(mean1, sd1))), eta)


two_normals = Family(
    "two_normals",
    (
        _portion("prior", 0.5),
        _number("mean0", -1.0),
        _scale("sd0", 1.0),
        _number("mean1", 1.0),
        _scale("sd1", 1.0),
    ),
    _two_normals,
)


def _normal_probit(name: str, a: float, b: float, mean: float, sd: float) -> Population:
    return _law(name, Normal(mean, sd), linear(probit, a, b))


normal_probit = Family("normal_probit", (*_LINE, *_NORMAL), _normal_probit)


def _normal_cloglog(name: str, a: float, b: float, mean: float, sd: float) -> Population:
    return _law(name, Normal(mean, sd), linear(cloglog, a, b))


normal_cloglog = Family(
    "normal_cloglog", (_number("a", 2.0), _number("b", -1.0), *_NORMAL), _normal_cloglog
)


def _labelled(
    name: str, weights: tuple[float, ...], parts: tuple[Distribution, ...], etas: tuple[Any, ...]
) -> Population:
    """A mixture each of whose parts has its own P(y = 1 | x): a function, or a number.

    eta is their mean in proportion to the densities, whose logarithms keep it from being 0 / 0.
    """

    def eta(x: Any) -> Any:
        xp = namespace(x)
        logs = [math.log(w) + part.log_density(x) for w, part in zip(weights, parts, strict=True)]
        highest = logs[0]
        for other in logs[1:]:
            highest = xp.maximum(highest, other)
        shares = [xp.exp(log - highest) for log in logs]
        each = [share * (e(x) if callable(e) else e) for share, e in zip(shares, etas, strict=True)]
        return sum(each) / sum(shares)

    return _law(name, Mixture(weights, parts), eta)


def _contaminated_logit(
    name: str,
    a: float,
    b: float,
    share: float,
    mean: float,
    sd: float,
    p: float,
) -> Population:
    core = linear(logistic, a, b)
    return _labelled(name, (1 - share, share), (Normal(), Normal(mean, sd)), (core, p))


contaminated_logit = Family(
    "contaminated_logit",
    (
        _number("a", 3.0),
        _number("b", 0.0),
        _portion("share", 0.1),
        _number("mean", -8.0),
        _scale("sd", 0.5),
        _chance("p", 0.9),
    ),
    _contaminated_logit,
)


def _uniform_floor_logit(
    name: str, a: float, b: float, floor: float, ceiling: float, low: float, high: float
) -> Population:
    return _law(name, Uniform(low, high), linear(logistic, a, b, floor, ceiling))


uniform_floor_logit = Family(
    "uniform_floor_logit",
    (
        _number("a", 3.0),
        _number("b", 0.0),
        _chance("floor", 0.3),
        _chance("ceiling", 1.0),
        _number("low", -3.0),
        _number("high", 3.0),
    ),
    _uniform_floor_logit,
)


def _exponential_step(name: str, at: float, below: float, above: float, rate: float) -> Population:
    return _law(name, Exponential(rate), step(at, below, above), (at,))


exponential_step = Family(
    "exponential_step",
    (_number("at", 1.0), _chance("below", 0.1), _chance("above", 0.9), _scale("rate", 1.0)),
    _exponential_step,
)


def _uniform_cubic(
    name: str, c0: float, c1: float, c2: float, c3: float, low: float, high: float
) -> Population:
    """P(y = 1 | x) is c0 + c1 x + c2 x^2 + c3 x^3, cut off at 0 and 1 outside the support."""
    x = Uniform(low, high)
    turns = [r.real for r in np.roots([3 * c3, 2 * c2, c1]) if r.imag == 0 and low < r.real < high]
    for at in (low, high, *turns):
        value = c0 + at * (c1 + at * (c2 + at * c3))
        if not -1e-15 <= value <= 1 + 1e-15:
            raise InputError(
                f"{name} is {short(value)} at x = {short(at)}; P(y = 1 | x) must be in [0, 1] over "
                "the whole support"
            )

    def eta(x: Any) -> Any:
        return namespace(x).clip(c0 + x * (c1 + x * (c2 + x * c3)), 0.0, 1.0)

    return _law(name, x, eta)


uniform_cubic = Family(
    "uniform_cubic",
    (
        _number("c0", 0.5),
        _number("c1", -0.32),
        _number("c2", 0.0),
        _number("c3", 0.8),
        *_INTERVAL,
    ),
    _uniform_cubic,
)


def _twice_contaminated_logit(
    name: str,
    a: float,
    b: float,
    share0: float,
    mean0: float,
    sd0: float,
    p0: float,
    share1: float,
    mean1: float,
    sd1: float,
    p1: float,
) -> Population:
    if share0 + share1 >= 1:
        raise InputError(
            f"share0 + share1 is {short(share0 + share1)}; what contaminates must be less than all"
        )
    weights = (1 - share0 - share1, share0, share1)
    parts = (Normal(), Normal(mean0, sd0), Normal(mean1, sd1))
    return _labelled(name, weights, parts, (linear(logistic, a, b), p0, p1))


twice_contaminated_logit = Family(
    "twice_contaminated_logit",
    (
        _number("a", 3.0),
        _number("b", 0.0),
        _portion("share0", 0.1),
        _number("mean0", -6.0),
        _scale("sd0", 0.5),
        _chance("p0", 0.9),
        _portion("share1", 0.1),
        _number("mean1", 6.0),
        _scale("sd1", 0.5),
        _chance("p1", 0.1),
    ),
    _twice_contaminated_logit,
)


def _uniform_step(
    name: str, at: float, below: float, above: float, low: float, high: float
) -> Population:
    return _law(name, Uniform(low, high), step(at, below, above), (at,))


uniform_step = Family(
    "uniform_step",
    (_number("at", 0.0), _chance("below", 0.2), _chance("above", 0.8), *_INTERVAL),
    _uniform_step,
)


def _mixture_floor_logit(
    name: str,
    a: float,
    b: float,
    floor: float,
    ceiling: float,
    weight: float,
    mean0: float,
    sd0: float,
    mean1: float,
    sd1: float,
) -> Population:
    x = Mixture((1 - weight, weight), (Normal(mean0, sd0), Normal(mean1, sd1)))
    return _law(name, x, linear(logistic, a, b, floor, ceiling))


mixture_floor_logit = Family(
    "mixture_floor_logit",
    (
        _number("a", 4.0),
        _number("b", 0.0),
        _chance("floor", 0.1),
        _chance("ceiling", 0.9),
        _portion("weight", 0.5),
        _number("mean0", -2.0),
        _scale("sd0", 1.0),
        _number("mean1", 2.0),
        _scale("sd1", 1.0),
    ),
    _mixture_floor_logit,
)


def _normal_cauchit(name: str, a: float, b: float, mean: float, sd: float) -> Population:
    return _law(name, Normal(mean, sd), linear(cauchit, a, b))


normal_cauchit = Family(
    "normal_cauchit",
    (_number("a", 2.0), _number("b", -1.4), _number("mean", 0.7), _scale("sd", 1.5)),
    _normal_cauchit,
)


def _gap_cloglog(name: str, a: float, b: float, inner: float, outer: float) -> Population:
    """Inputs are uniform where inner < |x| < outer."""
    if inner >= outer:
        raise InputError(f"{name} has no x; give inner below outer")
    x = Mixture((0.5, 0.5), (Uniform(-outer, -inner), Uniform(inner, outer)))
    return _law(name, x, linear(cloglog, a, b))


gap_cloglog = Family(
    "gap_cloglog",
    (_number("a", 1.5), _number("b", -0.2), _scale("inner", 1.0), _scale("outer", 2.0)),
    _gap_cloglog,
)

FAMILIES: dict[str, Family[Population]] = {
    family.name: family
    for family in (
        uniform_logit,
        normal_logit,
        two_normals,
        normal_probit,
        normal_cloglog,
        contaminated_logit,
        uniform_floor_logit,
        exponential_step,
        uniform_cubic,
        twice_contaminated_logit,
        uniform_step,
        mixture_floor_logit,
        normal_cauchit,
        gap_cloglog,
    )
}
"""The families by name, in the order in which the catalogue first has them."""
