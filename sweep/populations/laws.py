"""Families of laws: for each form of P(y = 1 | x) and law of x, its parameters and their ranges.

A family, called with parameters, makes a `Population`; a parameter that is left out has the default
that the signature of the family gives it, and the range of its name in `RANGES`.
`sweep.populations.catalogue` holds the laws that have an id.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parse_call, short
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


RANGES: dict[str, tuple[float, float]] = {
    name: ends
    for names, ends in (
        ("a b c low high mean at", (-1e6, 1e6)),
        ("sd rate inner outer", (1e-6, 1e6)),
        ("p floor ceiling below above", (0.0, 1.0)),
        ("prior share weight", (1e-9, 1 - 1e-9)),
    )
    for name in names.split()
}
"""(lowest, highest) value of a parameter, by its name without digits at the end."""

FAMILIES: dict[str, Family[Population]] = {}
"""By name, in the order in which the catalogue first has them."""


def _family(signature: str) -> Callable[[Callable[..., Population]], Family[Population]]:
    """Makes a function from a name and parameters to a law a family, with these defaults."""
    name, _, defaults = parse_call(signature, "law", signature)
    parameters = tuple(
        Parameter(key, float(default), *RANGES[key.rstrip("0123456789")])
        for key, default in defaults.items()
    )

    def register(formula: Callable[..., Population]) -> Family[Population]:
        FAMILIES[name] = Family(name, parameters, formula)
        return FAMILIES[name]

    return register


def _law(
    name: str, x: Distribution, eta: Callable[[Any], Any], breaks: tuple[float, ...] = ()
) -> Population:
    """A law with its id, if it has one."""
    return Population(name, x, eta, breaks, IDS.get(name))


def _normal_line(signature: str, link: Callable[[Any], Any]) -> Family[Population]:
    """The family in which x is normal and P(y = 1 | x) is an inverse link of a x + b."""

    def formula(name: str, a: float, b: float, mean: float, sd: float) -> Population:
        return _law(name, Normal(mean, sd), linear(link, a, b))

    return _family(signature)(formula)


@_family("uniform_logit(a=1,b=0,low=-1,high=1)")
def uniform_logit(name: str, a: float, b: float, low: float, high: float) -> Population:
    """Uniform x; the logit of P(y = 1 | x) is a x + b."""
    return _law(name, Uniform(low, high), linear(logistic, a, b))


normal_logit = _normal_line("normal_logit(a=1,b=0,mean=0,sd=1)", logistic)


@_family("two_normals(prior=0.5,mean0=-1,sd0=1,mean1=1,sd1=1)")
def two_normals(
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


normal_probit = _normal_line("normal_probit(a=1,b=0,mean=0,sd=1)", probit)
normal_cloglog = _normal_line("normal_cloglog(a=2,b=-1,mean=0,sd=1)", cloglog)


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
        highest = reduce(xp.maximum, logs)
        shares = [xp.exp(log - highest) for log in logs]
        ones = [share * (e(x) if callable(e) else e) for share, e in zip(shares, etas, strict=True)]
        return sum(ones) / sum(shares)

    return _law(name, Mixture(weights, parts), eta)


@_family("contaminated_logit(a=3,b=0,share=0.1,mean=-8,sd=0.5,p=0.9)")
def contaminated_logit(
    name: str, a: float, b: float, share: float, mean: float, sd: float, p: float
) -> Population:
    """Normal x and a logistic P(y = 1 | x), but for a share of points about another mean."""
    core = linear(logistic, a, b)
    return _labelled_mixture(name, (1 - share, share), (Normal(), Normal(mean, sd)), (core, p))


@_family("uniform_floor_logit(a=3,b=0,floor=0.3,ceiling=1,low=-3,high=3)")
def uniform_floor_logit(
    name: str, a: float, b: float, floor: float, ceiling: float, low: float, high: float
) -> Population:
    """Uniform x; P(y = 1 | x) is logistic between a floor and a ceiling."""
    return _law(name, Uniform(low, high), linear(logistic, a, b, floor, ceiling))


@_family("exponential_step(at=1,below=0.1,above=0.9,rate=1)")
def exponential_step(name: str, at: float, below: float, above: float, rate: float) -> Population:
    """Exponential x; P(y = 1 | x) jumps."""
    return _law(name, Exponential(rate), step(at, below, above), (at,))


@_family("uniform_cubic(c0=0.5,c1=-0.32,c2=0,c3=0.8,low=-1,high=1)")
def uniform_cubic(
    name: str, c0: float, c1: float, c2: float, c3: float, low: float, high: float
) -> Population:
    """P(y = 1 | x) is c0 + c1 x + c2 x^2 + c3 x^3, clipped to [0, 1] outside the support."""
    law_of_x = Uniform(low, high)

    def cubic(x: Any) -> Any:
        return c0 + x * (c1 + x * (c2 + x * c3))

    turns = [r.real for r in np.roots([3 * c3, 2 * c2, c1]) if r.imag == 0 and low < r.real < high]
    for x in (low, high, *turns):
        if not -1e-15 <= cubic(x) <= 1 + 1e-15:  # some roundings of a cubic that touches 0 or 1
            raise InputError(
                f"{name} is {short(cubic(x))} at x = {short(x)}; P(y = 1 | x) must be in [0, 1] "
                "over the whole support"
            )
    return _law(name, law_of_x, lambda x: namespace(x).clip(cubic(x), 0.0, 1.0))


@_family(
    "twice_contaminated_logit(a=3,b=0,share0=0.1,mean0=-6,sd0=0.5,p0=0.9,"
    "share1=0.1,mean1=6,sd1=0.5,p1=0.1)"
)
def twice_contaminated_logit(name: str, a: float, b: float, *contaminations: float) -> Population:
    """Like `contaminated_logit`, with two shares of replaced points."""
    share0, mean0, sd0, p0, share1, mean1, sd1, p1 = contaminations
    if share0 + share1 >= 1:
        raise InputError(
            f"share0 + share1 is {short(share0 + share1)}; give shares whose sum is below 1"
        )
    weights = (1 - share0 - share1, share0, share1)
    parts = (Normal(), Normal(mean0, sd0), Normal(mean1, sd1))
    return _labelled_mixture(name, weights, parts, (linear(logistic, a, b), p0, p1))


@_family("uniform_step(at=0,below=0.2,above=0.8,low=-1,high=1)")
def uniform_step(
    name: str, at: float, below: float, above: float, low: float, high: float
) -> Population:
    """Uniform x; P(y = 1 | x) jumps."""
    return _law(name, Uniform(low, high), step(at, below, above), (at,))


@_family(
    "mixture_floor_logit(a=4,b=0,floor=0.1,ceiling=0.9,weight=0.5,mean0=-2,sd0=1,mean1=2,sd1=1)"
)
def mixture_floor_logit(
    name: str, a: float, b: float, floor: float, ceiling: float, weight: float, *parts: float
) -> Population:
    """Two normals mixed; P(y = 1 | x) is logistic between a floor and a ceiling."""
    mean0, sd0, mean1, sd1 = parts
    x = Mixture((1 - weight, weight), (Normal(mean0, sd0), Normal(mean1, sd1)))
    return _law(name, x, linear(logistic, a, b, floor, ceiling))


normal_cauchit = _normal_line("normal_cauchit(a=2,b=-1.4,mean=0.7,sd=1.5)", cauchit)


@_family("gap_cloglog(a=1.5,b=-0.2,inner=1,outer=2)")
def gap_cloglog(name: str, a: float, b: float, inner: float, outer: float) -> Population:
    """The law of x is uniform where inner < |x| < outer."""
    if inner >= outer:
        raise InputError(f"{name} has no x; give inner below outer")
    x = Mixture((0.5, 0.5), (Uniform(-outer, -inner), Uniform(inner, outer)))
    return _law(name, x, linear(cloglog, a, b))
