"""Whether cross-entropy and accuracy share their optimum: two separate questions.

- *In the population*, where the law is known: is the classifier at the cross-entropy optimum one of
  the most accurate? Its cut and orientation decide. Regret alone cannot decide, because it is of
  second order in the cut. See `population_answer`.
- *At finite n*, from replicates alone: is the regret of the sample's cross-entropy optimum on its
  way below epsilon, a loss of accuracy that is fixed beforehand? See `verdict`.

The regret m(n) is the mean over replicates of *population* accuracy lost, so sharing means that it
is 0; the gap in the sample is positive either way and is no evidence. m(n) may vanish like n^-1 or,
where P(y=1|x) jumps, like n^-1/2. So its limit Delta comes from two fits, m = Delta + C n^-g with
g = 1 and g = 1/2, and from the union of their 95% intervals. The terms of the rule:

- *Last decade*: from the smallest size that is at least a tenth of the largest to the largest; the
  two largest sizes if there is none between.
- *Still falling*: over the last decade the mean drops with 95% confidence, or it cannot be told
  from 0 at the largest size.
- *Flat*: over the last decade it drops, with 95% confidence, by less than n^-1/4 would: half the
  slowest power at which the regret of a shared optimum vanishes. (An insignificant drop would be
  no criterion: with few replicates every mean would be flat, with many none.)
- *Settled*: at the largest size at least 97.5% of the classifiers have one orientation. While the
  sign of a slope near 0 is still a coin toss, the mean regret is flat whether or not it vanishes
  later. (This condition is dropped if a table has no orientations.)
- *Few replicates*: fewer than 30 decide nothing: regrets are skewed, so mean and standard deviation
  may both be far too low, and few classifiers may have one orientation by chance.
- *Replicates without a finite optimum* have a regret between 0 and the largest that a classifier
  can have; both widen every interval.
- *Equal regrets*: if all R replicates at a size have the same regret, other regrets are rarer than
  about one in R, not impossible. The mean gets the standard error that one more replicate would
  give it whose regret is the farthest one at the nearest smaller size with different regrets. If
  there is no such size, equal regrets count as certain: where the support has a gap, a shared
  optimum has regret 0 in every replicate. The sentence then says how rare an unseen loss may be.

`sweep.asymptotics.evidence` computes the intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING

from sweep.asymptotics.evidence import (
    POWERS,
    RegretEvidence,
    RegretFit,
    at_size,
    evidence_of,
    falling,
    fit,
    flat,
    interval,
    start_of_decade,
)
from sweep.base.errors import InputError
from sweep.base.intervals import LEVEL
from sweep.base.records import Record
from sweep.optima.records import PopulationOptimum

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

EPSILON = 1e-3  # default loss of accuracy that does not matter

DECADE_SHORTEST = 10**0.995  # half of the two decades that sizes must span, which are rounded
FEWEST_SIZES = 3  # with two sizes a fit of two parameters could not fail
FEWEST_REPLICATES = 30  # from here on a mean of skewed regrets has a usable interval
SETTLED = 0.975  # fraction of classifiers with one orientation from which it is no coin toss
FINEST = 1e-11  # least epsilon: ten times the regrets that are told from 0
ROUNDING = 1e-9  # P(y=1|x) at a cut counts as 1/2 if it is this close


# --- in the population --------------------------------------------------------------------------


@dataclass(frozen=True)
class PopulationAnswer:
    """Whether the optima are shared in the population, by quadrature."""

    # whether the classifier at the cross-entropy optimum is one of the most accurate; None where
    # cross-entropy has no finite optimum
    shared: bool | None
    # from its cut to the nearest most accurate cut of its orientation, in units of x; 0 if shared,
    # inf if there is no such cut
    cut_difference: float
    eta_excess: float  # P(y=1|x) at its cut minus 1/2; 0 where accuracy is stationary in the cut
    regret: float  # accuracy that it loses, a fraction
    sentence: str  # the answer in words


def population_answer(optimum: PopulationOptimum) -> PopulationAnswer:
    """Whether the optima are shared in the population whose optimum this is."""
    return PopulationAnswer(
        shared=optimum.shared,
        cut_difference=optimum.distance,
        eta_excess=optimum.eta_excess,
        regret=optimum.regret,
        sentence=_population_sentence(optimum),
    )


def _population_sentence(optimum: PopulationOptimum) -> str:
    """The answer for the population in words."""
    if optimum.shared is None:
        return f"In the population: {optimum.cross_entropy.status.value}"
    if optimum.shared:
        return (
            "In the population the optimum is shared: the classifier at the cross-entropy optimum "
            "is one of the most accurate."
        )
    where = (
        f"its cut is {optimum.distance:.3g} away from the nearest most accurate one"
        if math.isfinite(optimum.distance)
        else "no most accurate cut has its orientation"
    )
    return (
        "In the population the optimum is not shared: the classifier at the cross-entropy optimum "
        f"loses {optimum.regret:.3g} of accuracy, {where}{_at_the_cut(optimum.eta_excess)}."
    )


def _at_the_cut(eta_excess: float) -> str:
    """A clause on P(y=1|x) at the cut; empty without a cut."""
    if math.isnan(eta_excess):
        return ""
    if abs(eta_excess) < ROUNDING:
        return ", though P(y=1|x) at its cut is 1/2"
    return f", and P(y=1|x) at its cut is {0.5 + eta_excess:.4g} instead of 1/2"


# --- at finite n --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict(Record):
    """Whether the optima are shared within epsilon, judged from replicates at finite n.

    Attributes:
        name: share, do_not_share or inconclusive.
        sentence: the verdict and its reason in words.
        epsilon: loss of accuracy, a fraction, that does not matter; fixed beforehand.
        sizes: all n, ascending.
        replicates: number of samples at each n.
        without_optimum: replicates at each n without a finite optimum of cross-entropy.
        regret: mean population regret of the cross-entropy optimum at the largest n, over the
            replicates that have one; nan if none has.
        regret_interval: of that mean, 95%, widened for the replicates without an optimum.
        delta_interval: of the limit of the mean regret: the union over `fits`; nan without fits.
        drop: the mean at the end of the last decade as a fraction of that at its start; nan if
            the latter is 0.
        falling: whether the mean is still falling over the last decade.
        flat: whether the mean is flat over the last decade.
        fits: one for each power; empty for too few sizes or replicates.
        settled: whether the orientation is settled at the largest n; None if the table has no
            orientations, or no replicate has an optimum.
        population: the answer for the law itself; None if it was not given. It does not affect the
            verdict, but the sentence says if the two contradict each other.
    """

    name: str
    sentence: str
    epsilon: float
    sizes: tuple[int, ...]
    replicates: int
    without_optimum: tuple[int, ...]
    regret: float
    regret_interval: tuple[float, float]
    delta_interval: tuple[float, float]
    drop: float
    falling: bool
    flat: bool
    fits: tuple[RegretFit, ...]
    settled: bool | None = None
    population: PopulationAnswer | None = None


def verdict(
    table: xr.Dataset, epsilon: float = EPSILON, optimum: PopulationOptimum | None = None
) -> Verdict:
    """Whether the optima are shared within epsilon, by the rule of this module.

    - *share*: at the largest n, and in the limit, the regret is below epsilon with 95% confidence,
      and it is still falling.
    - *do_not_share*: at the largest n the regret is above epsilon, and in the limit above 0, with
      95% confidence, the last decade is flat, and the orientation is settled.
    - *inconclusive*: anything else, or sizes that span less than two decades, or too few
      replicates.

    The table of a study has dims (n, replicate), with `regret_cross_entropy`, nan for a replicate
    without a finite optimum, and with `orientation_cross_entropy` where it is known. Samples must
    be fresh at each n. The optimum of the population bounds the regret of replicates without one.
    """
    require_epsilon(epsilon)
    # The largest regret is that of the classifier opposite to a most accurate one.
    evidence = evidence_of(table, 1.0 if optimum is None else 2 * optimum.accuracy.value - 1)
    finite = _judge(evidence, epsilon)
    if optimum is None:
        return finite
    return replace(
        finite,
        sentence=finite.sentence + _contradiction(finite, optimum),
        population=population_answer(optimum),
    )


def require_epsilon(epsilon: float, name: str = "epsilon") -> None:
    """Rejects an epsilon that is no loss of accuracy, or finer than regrets are known.

    Raises:
        InputError: it is either; the message calls it `name`.
    """
    if not isinstance(epsilon, Real) or not 0 < epsilon < 1:
        raise InputError(
            f"{name} is {epsilon}; a loss of accuracy between 0 and 1 is needed, such as 0.001"
        )
    if epsilon < FINEST:
        raise InputError(
            f"{name} is {epsilon:g}, finer than regrets are known; give {FINEST:g} or more"
        )


def _judge(evidence: RegretEvidence, epsilon: float) -> Verdict:
    """The verdict from replicates alone."""
    fittable = len(evidence.n) >= FEWEST_SIZES and evidence.replicates >= 2
    fits = tuple(fit(evidence, power) for power in POWERS) if fittable else ()
    low, high = interval(evidence, at_size(evidence, -1))
    start = start_of_decade(evidence.n)
    drop = evidence.mean[-1] / evidence.mean[start] if evidence.mean[start] > 0 else math.nan
    undecided = Verdict(
        name="inconclusive",
        sentence="",
        epsilon=epsilon,
        sizes=tuple(int(n) for n in evidence.n),
        replicates=evidence.replicates,
        without_optimum=tuple(int(k) for k in evidence.missing),
        regret=float(evidence.mean[-1]),
        regret_interval=(max(low, 0.0), min(high, evidence.largest)),
        delta_interval=(
            min((fit.interval[0] for fit in fits), default=math.nan),
            max((fit.interval[1] for fit in fits), default=math.nan),
        ),
        drop=float(drop),
        falling=falling(evidence, start),
        flat=flat(evidence, start),
        fits=fits,
        settled=None if math.isnan(evidence.orientation) else evidence.orientation >= SETTLED,
    )
    name, sentence = _decide(undecided, evidence.largest)
    return replace(undecided, name=name, sentence=sentence)


# --- in words -----------------------------------------------------------------------------------


def _decide(v: Verdict, largest: float) -> tuple[str, str]:
    """The name of the verdict, and its sentence."""
    reason = _too_little(v)
    low, high = v.regret_interval
    small = high < v.epsilon and v.delta_interval[1] < v.epsilon
    lost = low > v.epsilon and v.delta_interval[0] > 0
    if not reason and small and v.falling:
        return "share", (
            f"The optima are shared within epsilon = {v.epsilon:g}: {_measured(v)}, "
            f"{_trend(v)}, and extrapolated from these sizes to no more than "
            f"{max(v.delta_interval[1], 0):.3g}."
        )
    if not reason and lost and v.flat and v.settled is not False:
        return "do_not_share", (
            f"The optima are not shared within epsilon = {v.epsilon:g}: {_measured(v)}, hardly "
            "less than a decade before, and extrapolated from these sizes to no less than "
            f"{v.delta_interval[0]:.3g}."
        )
    return "inconclusive", (
        f"Whether the optima are shared within epsilon = {v.epsilon:g} cannot be told: "
        f"{reason or _doubt(v)}{_missing(v, largest)}."
    )


def _too_little(v: Verdict) -> str:
    """Why there is too little evidence to decide; empty if there is enough."""
    if v.replicates < 2:
        return "one replicate at each n does not show how regrets vary; take two or more"
    if v.sizes[-1] < DECADE_SHORTEST**2 * v.sizes[0]:
        return (
            f"n = {v.sizes[0]} to {v.sizes[-1]} spans less than two decades; take n up to "
            f"{100 * v.sizes[0]} or more"
        )
    if not v.fits:
        return f"a limit takes {FEWEST_SIZES} sizes or more, not {len(v.sizes)}; take more"
    if math.isnan(v.regret):
        return f"no replicate at n = {v.sizes[-1]} has a finite optimum of cross-entropy"
    if v.replicates < FEWEST_REPLICATES:
        return (
            f"{v.replicates} replicates at each n are too few for regrets, which are skewed; take "
            f"{FEWEST_REPLICATES} or more"
        )
    return ""


def _doubt(v: Verdict) -> str:
    """Why the evidence decides nothing, and what would decide it."""
    low, high = v.regret_interval
    if low <= v.epsilon <= high:
        return f"{_measured(v)}, on both sides of epsilon; take more replicates or larger n"
    if low > v.epsilon and v.settled is False:
        return (
            f"{_measured(v)}, but the direction of its classifier still differs from sample to "
            "sample; take larger n"
        )
    if low > v.epsilon:
        return f"{_measured(v)}, but may tend to 0 as n grows; take larger n"
    if v.delta_interval[1] >= v.epsilon:
        return (
            f"{_measured(v)}, but may tend to as much as {v.delta_interval[1]:.3g}; take more "
            "replicates or larger n"
        )
    if v.flat:
        return f"{_measured(v)}, below epsilon but no longer falling; a smaller epsilon can tell"
    return f"{_measured(v)}, but whether it is still falling is unclear; take more replicates"


def _measured(v: Verdict) -> str:
    """The mean regret at the largest n, with its interval."""
    low, high = v.regret_interval
    return (
        f"at n = {v.sizes[-1]} the cross-entropy optimum loses {v.regret:.3g} of accuracy on "
        f"average (95%: {low:.3g} to {high:.3g})"
    )


def _trend(v: Verdict) -> str:
    """The trend of the regret of a shared optimum."""
    if v.regret_interval[1] == 0:
        unseen = 1 - (1 - LEVEL) ** (1 / v.replicates)
        return (
            f"as at every n, though {v.replicates} replicates cannot show a loss in fewer than "
            f"{unseen:.2g} of the samples"
        )
    return "which cannot be told from 0" if v.regret_interval[0] <= 0 else "still falling"


def _missing(v: Verdict, largest: float) -> str:
    """A clause on replicates without a finite optimum; empty if all have one."""
    if not v.without_optimum[-1] or math.isnan(v.regret):
        return ""
    return (
        f" ({v.without_optimum[-1]} of {v.replicates} replicates there have no finite optimum of "
        f"cross-entropy, and may lose up to {largest:.3g})"
    )


def _contradiction(v: Verdict, optimum: PopulationOptimum) -> str:
    """A sentence if the law contradicts the verdict; empty otherwise."""
    if v.name == "share" and optimum.regret > v.epsilon:
        return (
            " But the law contradicts this: in the population the cross-entropy optimum loses "
            f"{optimum.regret:.3g} of accuracy, so the regret rises again at larger n."
        )
    if v.name == "do_not_share" and optimum.shared:
        return (
            " But the law contradicts this: in the population the optimum is shared, so the regret "
            "vanishes at larger n."
        )
    return ""
