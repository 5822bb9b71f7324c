"""Populations: laws of (x, y), as a law of x and P(y = 1 | x).

A `Population` is what a sample is drawn from and what n = infinity means: it is integrated by
quadrature where a sample is summed. The laws of the table, and `CATALOGUE` of those with an id, are
members of families, one for each form; "uniform_logit(a=0.3,b=0.5)" asks for one. A law of the
user's own is a `Population` made of any `Distribution` and a function.

Each module imports only from those above it, and from those above `populations` in `sweep`:

    law        a `Population`, and what makes it valid
    links      P(y = 1 | x) as a function of a x + b, or with a step
    ids        the laws that have a short name
    forms      a family of laws for each form, and its formula
    catalogue  the laws by id, and the law that a text asks for
"""

from sweep.distributions.mixtures import Mixture
from sweep.distributions.protocol import Distribution
from sweep.distributions.quantiles import Quantile
from sweep.distributions.standard import Exponential, Normal, Uniform
from sweep.populations.catalogue import CATALOGUE, known, population
from sweep.populations.forms import (
    FAMILIES,
    contaminated_logit,
    exponential_step,
    gap_cloglog,
    mixture_floor_logit,
    normal_cauchit,
    normal_cloglog,
    normal_logit,
    normal_probit,
    twice_contaminated_logit,
    two_normals,
    uniform_cubic,
    uniform_floor_logit,
    uniform_logit,
    uniform_step,
)
from sweep.populations.ids import IDS
from sweep.populations.law import Population

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "IDS",
    "Distribution",
    "Exponential",
    "Mixture",
    "Normal",
    "Population",
    "Quantile",
    "Uniform",
    "contaminated_logit",
    "exponential_step",
    "gap_cloglog",
    "known",
    "mixture_floor_logit",
    "normal_cauchit",
    "normal_cloglog",
    "normal_logit",
    "normal_probit",
    "population",
    "twice_contaminated_logit",
    "two_normals",
    "uniform_cubic",
    "uniform_floor_logit",
    "uniform_logit",
    "uniform_step",
]
