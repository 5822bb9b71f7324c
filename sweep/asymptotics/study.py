"""study(): fresh samples of every size, their exact optima, rates and the verdict.

A `Study` holds the table of all replicates and every result that reports and figures show.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from sweep.asymptotics import tables
from sweep.asymptotics.limits import REFERENCES, Limits, limits
from sweep.asymptotics.rates import GapFit, Rate, gap_fit, summary
from sweep.asymptotics.rates import rates as rates_of
from sweep.asymptotics.table import StudyJob, table
from sweep.asymptotics.verdict import EPSILON, Verdict, require_epsilon, verdict
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.progress import bar
from sweep.base.ranges import sizes as sizes_of
from sweep.base.ranges import whole_number
from sweep.base.records import plain
from sweep.base.tables import Table, Tabular
from sweep.measure.measure import Measure
from sweep.optima.optimum import optimum
from sweep.optima.records import PopulationOptimum
from sweep.populations import Population
from sweep.populations import population as law_of

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class Study(Tabular):
    """How the two optima of samples of a population behave as n grows.

    Attributes:
        population: name of the law.
        id: its id in `sweep.populations.CATALOGUE`; None if it is not in the catalogue.
        sizes: all n, ascending.
        replicates: number of samples of each size.
        seed: seed of all samples.
        epsilon: loss of accuracy, a fraction, that does not matter.
        table: the optima of every sample; dims (n, replicate).
        summary: means over the replicates, with standard errors; dims (n, quantity).
        optimum: optimum of the population.
        limits: theory of the population.
        rates: powers of n, measured and in theory; empty if they were not requested.
        gap_fit: the two terms of the gap; None where theory has others, or without rates.
        verdict: the answer for finite n, and separately for the population.
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

    def tables(self) -> tuple[Table, ...]:
        """The answer for the population, then that for samples, and the verdict."""
        return tuple(tables.tables(self))

    def to_dict(self) -> dict[str, Any]:
        """Everything but the table, as plain Python values that JSON can hold."""
        means = self.summary
        rows = [
            {
                "n": int(row.n),
                "status_count": dict(
                    zip(means.status.values.tolist(), row.status_count.values.tolist(), strict=True)
                ),
                **{
                    str(quantity): {
                        name: row[name].sel(quantity=quantity).item()
                        for name in ("mean", "standard_error", "median", "count")
                    }
                    for quantity in means.quantity.values
                },
            }
            for row in (means.sel(n=n) for n in means.n.values)
        ]
        document = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ("table", "summary")
        }
        return plain(document | {"summary": rows, "references": REFERENCES})


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
    """Whether the two metrics share an optimum, from samples of a population as n grows.

    It draws fresh samples for each n, and finds the exact optimum of cross-entropy and the exact
    set of optimal cuts of each sample, with their regrets in the population. The random numbers of
    a sample depend on seed, n and replicate alone, and so do its results, bit for bit: more
    replicates, other sizes or another memory budget change none of them.

    Args:
        population: the law, or its id or name (see `sweep.populations.population`).
        sizes: numbers of points: a sequence, or text such as "100:1e6:9:log".
        replicates: number of samples of each size, at least 2.
        seed: seed of the random numbers.
        epsilon: loss of accuracy, a fraction, that does not matter; fixed beforehand.
        rates: whether to fit powers of n, which takes two sizes.
        memory_budget: bytes of memory to use beyond the result.
        progress: whether to show a progress bar on stderr for work of more than two seconds;
            None shows it on a terminal only.

    Raises:
        InputError: the law is unknown or invalid, a size is not a positive integer, there is only
            one size although rates are requested, replicates < 2, epsilon is not between 0 and 1,
            or one sample does not fit into the memory budget.
    """
    law = law_of(population)
    numbers = tuple(int(n) for n in sizes_of(sizes, "sizes"))
    if rates and len(numbers) < 2:
        raise InputError(
            f"the only size is {max(numbers)}, and a slope needs two; add a size or use rates=False"
        )
    require_epsilon(epsilon)
    count, seed = whole_number("replicates", replicates, 2), whole_number("seed", seed, 0)
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
