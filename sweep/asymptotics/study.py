"""study(): fresh samples of every size, their exact optima, rates and the verdict.

A `Study` holds the table of all replicates and everything that is told or drawn of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from sweep.asymptotics.limits import Limits, limits
from sweep.asymptotics.rates import GapFit, Rate, gap_fit, summary
from sweep.asymptotics.rates import rates as rates_of
from sweep.asymptotics.verdict import EPSILON, REFERENCES, Verdict, require_epsilon, verdict
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.ranges import sizes as sizes_of
from sweep.base.ranges import whole
from sweep.base.records import plain
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from sweep.optima.records import PopulationOptimum
from sweep.populations import Population
from sweep.populations import population as law_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """What samples of a population tell about its two optima as n grows.

    Attributes:
        population: name of the law.
        id: its id in `sweep.populations.CATALOGUE`; None if it is not there.
        sizes: all n, ascending.
        replicates: samples of each size.
        seed: of all samples.
        epsilon: loss of accuracy, a fraction, that does not matter.
        table: the optima of every sample; dims (n, replicate).
        summary: means over the replicates, with standard errors; dims (n, quantity).
        optimum: of the population.
        limits: what theory says.
        rates: powers of n, measured and in theory; empty if none were asked for.
        gap_fit: the gap's two terms; None where the theory has others, or none were asked for.
        verdict: on the population, and apart from it on finite n.
    """

    population: str
    id: str | None
    sizes: tuple[int, ...]
    replicates: int
    seed: int
    epsilon: float
    table: xr.Dataset
    summary: xr.Dataset
    optimum: PopulationOptimum
    limits: Limits
    rates: tuple[Rate, ...]
    gap_fit: GapFit | None
    verdict: Verdict

    def __repr__(self) -> str:
        ends = f"n={min(self.sizes)}..{max(self.sizes)}"
        return f"Study({self.population}, {ends}, replicates={self.replicates})"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the table, as plain Python values that JSON can hold."""
        means = self.summary
        rows = [
            {
                "n": int(at.n),
                "status_count": dict(
                    zip(means.status.values.tolist(), at.status_count.values.tolist(), strict=True)
                ),
                **{
                    str(q): {
                        name: at[name].sel(quantity=q).item()
                        for name in ("mean", "standard_error", "median", "count")
                    }
                    for q in means.quantity.values
                },
            }
            for at in (means.sel(n=n) for n in means.n.values)
        ]
        kept = {
            name: getattr(self, name)
            for name in (
                "population",
                "id",
                "sizes",
                "replicates",
                "seed",
                "epsilon",
                "optimum",
                "limits",
                "rates",
                "gap_fit",
                "verdict",
            )
        }
        return plain(kept | {"summary": rows, "references": REFERENCES})


def study(
    population: Population | str,
    sizes: str | ArrayLike,
    replicates: int = 1000,
    seed: int = 0,
    *,
    epsilon: float = EPSILON,
    rates: bool = True,
    memory_budget: int = MEMORY_BUDGET,
    progress: bool | None = None,
) -> Study:
    """Whether the two metrics share an optimum, by samples of a population as n grows.

    For each n fresh samples are drawn, and of each the exact optimum of cross-entropy and the
    exact set of optimal cuts are found, with their regrets in the population. The random numbers
    of a sample depend on seed, n and replicate alone, and so do its results, bit for bit: more
    replicates, other sizes or another memory budget change none.

    Args:
        population: the law, or its id or name (see `sweep.populations.population`).
        sizes: numbers of points: several, or text such as "100:1e6:9:log".
        replicates: samples of each size, at least 2.
        seed: of the random numbers.
        epsilon: loss of accuracy, a fraction, that does not matter; named beforehand.
        rates: whether to fit powers of n, for which two sizes are needed.
        memory_budget: bytes that may be used beyond the result.
        progress: whether to show a progress bar on stderr for what takes more than two seconds;
            None shows it on a terminal only.

    Raises:
        InputError: the law is unknown or none, a size is not a positive integer, there is one size
            only though rates are asked for, replicates < 2, epsilon is not between 0 and 1, or one
            sample does not fit into the memory budget.
    """
    from sweep.asymptotics.table import StudyJob, table  # which loads jax

    law = law_of(population)
    numbers = tuple(int(n) for n in sizes_of(sizes, "sizes"))
    if rates and len(numbers) < 2:
        raise InputError(
            f"the only size is {max(numbers)}, and a slope needs two; give another, or rates=False"
        )
    require_epsilon(epsilon)
    count, seed = whole("replicates", replicates, 2), whole("seed", seed, 0)
    job = StudyJob(law, numbers, count, seed, int(memory_budget))
    job.require_room()
    law.require_valid()
    measure = Measure.from_population(law)
    best = optimum(law)
    with bar(law.id or law.name, job.points, "points", progress) as step:
        samples = table(job, best, measure, step)
    means, theory = summary(samples, best), limits(law, best)
    return Study(
        population=law.name,
        id=law.id,
        sizes=job.sizes,
        replicates=job.replicates,
        seed=job.seed,
        epsilon=epsilon,
        table=samples,
        summary=means,
        optimum=best,
        limits=theory,
        rates=rates_of(means, theory) if rates else (),
        gap_fit=gap_fit(means, theory) if rates else None,
        verdict=verdict(samples, epsilon, best),
    )
