"""Families of laws: for each form of P(y = 1 | x) and law of x, its parameters and their ranges.

A family, called with parameters, makes a `Population`; a parameter that is left out has its
default. `sweep.populations.catalogue` holds the laws that have an id.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, short
from sweep.populations.distributions.mixtures import Mixture
from sweep.populations.distributions.protocol import Distribution, namespace
from sweep.populations.distributions.standard import Exponential, Normal, Uniform
from sweep.populations.joint_law import Population, cauchit, cloglog, linear, logistic, probit, step

# Names of the laws in the catalogue, and their ids.
IDS = {
    "uniform_logit(a=1,b=0,low=-1,high=1)": "W1",
    "uniform_logit(a=0.3,b=0.5,low=-1,high=1)": "W2",
    "normal_logit(a=1,b=0,mean=0,sd=1)": "W3",
    "normal_logit(a=2,b=-1,mean=0,sd=1)": "W4",
    "two_normals(prior=0.05,mean0=0,sd0=1,mean1=1.5,sd1=1)": "W5",
    "two_normals(prior=0.5,mean0=-1,sd0=1,mean1=1,sd1=1)": "W6",
    "normal_probit(a=1,b=0.3,mean=0,sd=1)": "M1",
    "normal_cloglog(a=2,b=-1,mean=0,sd=1)": "D1",
    "two_normals(prior=0.5,mean0=0,sd0=1,mean1=2,sd1=3)": "D2",
    "contaminated_logit(a=3,b=0,share=0.1,mean=-8,sd=0.5,p=0.9)": "D3",
    "uniform_floor_logit(a=3,b=0,floor=0.3,ceiling=1,low=-3,high=3)": "D4",
    "exponential_step(at=1,below=0.1,above=0.9,rate=1)": "D5",
    "uniform_cubic(c0=0.5,c1=-0.32,c2=0,c3=0.8,low=-1,high=1)": "D6",
    "twice_contaminated_logit(a=3,b=0,share0=0.1,mean0=-6,sd0=0.5,p0=0.9,"
    "share1=0.1,mean1=6,sd1=0.5,p1=0.1)": "D7",
    "normal_probit(a=1,b=0,mean=0,sd=1)": "S1",
    "uniform_step(at=0,below=0.2,above=0.8,low=-1,high=1)": "S2",
    "mixture_floor_logit(a=4,b=0,floor=0.1,ceiling=0.9,weight=0.5,mean0=-2,sd0=1,mean1=2,sd1=1)": (
        "S3"
    ),
    "normal_cauchit(a=2,b=-1.4,mean=0.7,sd=1.5)": "S4",
    "gap_cloglog(a=1.5,b=-0.2,inner=1,outer=2)": "S5",
}


def _law(
    name: str, x: Distribution, eta: Callable[[Any], Any], breaks: tuple[float, ...] = ()
) -> Population:
    """A law with its id, if it has one."""
    return Population(name, x, eta, breaks, IDS.get(name))


def _number(name: str, default: float) -> Parameter:
    """A parameter for x, a or b: any number of moderate size."""
    return Parameter(name, default, -1e6, 1e6)


def _scale(name: str, default: float) -> Parameter:
    """A parameter that is a scale or a rate."""
    return Parameter(name, default, 1e-6, 1e6)


def _probability(name: str, default: float) -> Parameter:
    """A parameter that is a probability, 0 and 1 included."""
    return Parameter(name, default, 0.0, 1.0)


def _portion(name: str, default: float) -> Parameter:
    """A parameter that is a probability strictly between 0 and 1."""
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
    """One normal law of x for each class.

    The logit of eta is the logarithm of the ratio of their densities, a polynomial of degree 2 in x
    whose square term vanishes for equal deviations.
    """
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


def _labelled_mixture(
    name: str, weights: tuple[float, ...], parts: tuple[Distribution, ...], etas: tuple[Any, ...]
) -> Population:
    """A mixture in which each part has its own P(y = 1 | x), a function or a number.

    eta is the mean of these, weighted by the densities of the parts. The largest density is
    divided out by logarithms, because all of them can underflow, and 0 / 0 is nan.
    """

    def eta(x: Any) -> Any:
        xp = namespace(x)
        logs = [math.log(w) + part.log_density(x) for w, part in zip(weights, parts, strict=True)]
        highest = logs[0]
        for other in logs[1:]:
            highest = xp.maximum(highest, other)
        shares = [xp.exp(log - highest) for log in logs]
        ones = [share * (e(x) if callable(e) else e) for share, e in zip(shares, etas, strict=True)]
        return sum(ones) / sum(shares)

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
    return _labelled_mixture(name, (1 - share, share), (Normal(), Normal(mean, sd)), (core, p))


contaminated_logit = Family(
    "contaminated_logit",
    (
        _number("a", 3.0),
        _number("b", 0.0),
        _portion("share", 0.1),
        _number("mean", -8.0),
        _scale("sd", 0.5),
        _probability("p", 0.9),
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
        _probability("floor", 0.3),
        _probability("ceiling", 1.0),
        _number("low", -3.0),
        _number("high", 3.0),
    ),
    _uniform_floor_logit,
)


def _exponential_step(name: str, at: float, below: float, above: float, rate: float) -> Population:
    return _law(name, Exponential(rate), step(at, below, above), (at,))


exponential_step = Family(
    "exponential_step",
    (
        _number("at", 1.0),
        _probability("below", 0.1),
        _probability("above", 0.9),
        _scale("rate", 1.0),
    ),
    _exponential_step,
)


def _uniform_cubic(
    name: str, c0: float, c1: float, c2: float, c3: float, low: float, high: float
) -> Population:
    """P(y = 1 | x) is c0 + c1 x + c2 x^2 + c3 x^3, clipped to [0, 1] outside the support."""
    law_of_x = Uniform(low, high)
    turns = [r.real for r in np.roots([3 * c3, 2 * c2, c1]) if r.imag == 0 and low < r.real < high]
    for x in (low, high, *turns):
        value = c0 + x * (c1 + x * (c2 + x * c3))
        if not -1e-15 <= value <= 1 + 1e-15:  # some roundings of a cubic that touches 0 or 1
            raise InputError(
                f"{name} is {short(value)} at x = {short(x)}; P(y = 1 | x) must be in [0, 1] over "
                "the whole support"
            )

    def eta(x: Any) -> Any:
        return namespace(x).clip(c0 + x * (c1 + x * (c2 + x * c3)), 0.0, 1.0)

    return _law(name, law_of_x, eta)


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
            f"share0 + share1 is {short(share0 + share1)}; give shares whose sum is below 1"
        )
    weights = (1 - share0 - share1, share0, share1)
    parts = (Normal(), Normal(mean0, sd0), Normal(mean1, sd1))
    return _labelled_mixture(name, weights, parts, (linear(logistic, a, b), p0, p1))


twice_contaminated_logit = Family(
    "twice_contaminated_logit",
    (
        _number("a", 3.0),
        _number("b", 0.0),
        _portion("share0", 0.1),
        _number("mean0", -6.0),
        _scale("sd0", 0.5),
        _probability("p0", 0.9),
        _portion("share1", 0.1),
        _number("mean1", 6.0),
        _scale("sd1", 0.5),
        _probability("p1", 0.1),
    ),
    _twice_contaminated_logit,
)


def _uniform_step(
    name: str, at: float, below: float, above: float, low: float, high: float
) -> Population:
    return _law(name, Uniform(low, high), step(at, below, above), (at,))


uniform_step = Family(
    "uniform_step",
    (_number("at", 0.0), _probability("below", 0.2), _probability("above", 0.8), *_INTERVAL),
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
        _probability("floor", 0.1),
        _probability("ceiling", 0.9),
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
    """The law of x is uniform where inner < |x| < outer."""
    if inner >= outer:
        raise InputError(f"{name} has no x; give inner below outer")
    x = Mixture((0.5, 0.5), (Uniform(-outer, -inner), Uniform(inner, outer)))
    return _law(name, x, linear(cloglog, a, b))


gap_cloglog = Family(
    "gap_cloglog",
    (_number("a", 1.5), _number("b", -0.2), _scale("inner", 1.0), _scale("outer", 2.0)),
    _gap_cloglog,
)

# By name, in the order in which the catalogue first has them.
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
