"""`sweep study`: whether both metrics come to share an optimum as n grows, for known laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import xarray as xr
from cyclopts import Parameter

import sweep
from sweep import figures
from sweep.asymptotics.limits import REFERENCES
from sweep.asymptotics.study import Study
from sweep.asymptotics.verdict import EPSILON, require_epsilon
from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.ranges import size_title, sizes
from sweep.base.tables import Table
from sweep.cli.options import Force, Json, Memory, Quiet, Replicates, Seed, memory_budget
from sweep.cli.outputs import document, folder, print_json, print_tables, together
from sweep.landscapes.stack import evenly_spaced
from sweep.optima.records import Optimum
from sweep.populations import CATALOGUE, Population, population

LONGEST_NAME = 200  # characters of a law's name that fit into the name of a file

SIZES_DRAWN = 4  # finite sizes of a study whose landscapes are drawn, beside the population's


def study(
    populations: Annotated[
        tuple[str, ...],
        Parameter(help="Ids such as W1, laws such as 'normal_logit(a=2,b=-1)', or: all."),
    ],
    /,
    *,
    n: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="Sizes: LOW:HIGH:COUNT:log, or 100,1e4.")
    ] = "100:1e6:9:log",
    replicates: Replicates = 1000,
    seed: Seed = 0,
    epsilon: Annotated[
        float, Parameter(help="Loss of accuracy, a fraction, that is negligible.")
    ] = EPSILON,
    rates: Annotated[
        bool, Parameter(negative="--no-rates", help="Fit powers of n, from several sizes.")
    ] = True,
    memory: Memory = MEMORY_BUDGET // 2**20,
    out: Annotated[
        Path | None, Parameter(help="Write study.json, tables (.nc) and figures here.")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Tells whether both metrics come to share an optimum as n grows."""
    laws, numbers = _laws(populations), sizes(n, "--n")
    _require(numbers, replicates, epsilon, rates=rates)
    budget = memory_budget(memory)
    files = [] if out is None else _files(out, laws)
    for law in laws:
        sweep.optimum(law)  # rejects a law that cannot be integrated before anything is drawn
    with folder(out, files, force=force):
        studies = []
        for law in laws:
            result = sweep.study(
                law,
                list(numbers),
                replicates,
                seed,
                epsilon=epsilon,
                rates=rates,
                memory_budget=budget,
                progress=False if quiet else None,
            )
            studies.append(result)
            if not as_json:
                print_tables(result.tables())
                print()
        content = {
            "studies": [result.to_dict() for result in studies],
            "written": [*map(str, files)],
        }
        if out is not None:
            _write(files, content, laws, studies, force=force)
    if as_json:
        print_json(content)
        return
    print_tables([Table(title="References", notes=REFERENCES)])
    for path in files:
        print(f"written: {path}")


def _laws(names: Sequence[str]) -> list[Population]:
    """The laws, each once; `all` stands for the whole catalogue."""
    laws = [
        law
        for name in names
        for law in (CATALOGUE.values() if name.lower() == "all" else [population(name)])
    ]
    return list({law.name: law for law in laws}.values())


def _require(numbers: Sequence[float], replicates: int, epsilon: float, *, rates: bool) -> None:
    """Rejects what `sweep.study` would reject, by the names of the options."""
    if rates and len(numbers) < 2:
        raise InputError(
            f"--n holds one size, {numbers[0]:g}, and a slope needs two; give more, or --no-rates"
        )
    if replicates < 2:
        raise InputError(f"--replicates={replicates}: at least 2 are needed for an error estimate")
    require_epsilon(epsilon, "--epsilon")


def _files(out: Path, laws: Sequence[Population]) -> list[Path]:
    """Paths in the order of writing: the document, three files for each law, the verdicts."""
    kinds = (".nc", "_rates.png", "_landscapes.png")
    for law in laws:
        if law.id is None and len(law.name) > LONGEST_NAME:
            raise InputError(
                f"{law.name} is too long for the name of a file; give numbers with fewer digits, "
                "or leave out --out"
            )
    each = [out / f"{law.id or law.name}{kind}" for law in laws for kind in kinds]
    return [out / "study.json", *each, *([out / "verdicts.png"] if len(laws) > 1 else [])]


def _write(
    files: Sequence[Path],
    content: dict[str, Any],
    laws: Sequence[Population],
    studies: Sequence[Study],
    *,
    force: bool,
) -> None:
    with together(files, force=force) as partial:
        remaining = iter(partial)
        next(remaining).write_text(document(content) + "\n", encoding="utf-8")
        for law, result in zip(laws, studies, strict=True):
            storage.save(result.table, next(remaining))
            figures.write(figures.rates(result), next(remaining))
            figures.write(figures.small_multiples(_columns(law, result)), next(remaining))
        if len(laws) > 1:
            figures.write(figures.verdicts(studies), next(remaining))


def _columns(law: Population, study: Study) -> list[tuple[str, xr.Dataset, Optimum]]:
    """Landscapes of the first sample of some of the sizes, and of the population."""
    columns = []
    for n in (*evenly_spaced(study.sizes, SIZES_DRAWN), math.inf):
        data = sweep.sample(law, n, study.seed)
        landscape = sweep.landscape(data, progress=False)
        columns.append((size_title(n), landscape, sweep.optimum(data)))
    return columns
