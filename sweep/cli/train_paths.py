"""`sweep train paths`: where optimisers of p = sigmoid(a*x + b) go, on both landscapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

import sweep
from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.cli.app import UsageError
from sweep.cli.options import (
    Force,
    Json,
    LawName,
    LawSeed,
    LawSize,
    Memory,
    MovieFile,
    Quiet,
    WeightName,
    XName,
    YName,
    integer,
    memory_budget,
)
from sweep.cli.outputs import folder, print_json, print_lines, require_apart, together
from sweep.cli.source import SketchFile, source
from sweep.cli.train import Folder
from sweep.data.sample import ILLUSTRATIONS, Sample, illustration, load
from sweep.populations import Population
from sweep.report.text import filled

if TYPE_CHECKING:
    from sweep.training.paths.run import Paths

FEW = ("uniform_logit(a=0.3,b=0.5)", 6, 7)
"""Law, size and seed of a sample of the second illustration's model, which a cut separates."""


class PathsRequest(NamedTuple):
    """What paths are followed on.

    Attributes:
        name: of its files.
        heading: names it, in lines of 80 columns at most.
        data: what is descended on.
        validation: data that are watched, if any.
    """

    name: str
    heading: str
    data: Sample | Population
    validation: Sample | None


def paths(
    data: Annotated[
        Path | None, Parameter(help="CSV, NPY, NPZ or Parquet with columns x, y.")
    ] = None,
    /,
    *,
    population: LawName = None,
    n: LawSize = None,
    seed: LawSeed = None,
    illustration: Annotated[
        int | None, Parameter(converter=integer, help="In place of DATA: 1, 2 or 3.")
    ] = None,
    validation: Annotated[
        Path | None, Parameter(help="A file of data to watch, with columns as of DATA.")
    ] = None,
    start: Annotated[
        tuple[str, ...],
        Parameter(
            allow_leading_hyphen=True,
            negative="",
            help="Where paths begin: A,B; once for each.",
            show_default="4, by the data",
        ),
    ] = (),
    optimizer: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=True, negative="", help="sgd, adam, rmsprop.", show_default="sgd adam"
        ),
    ] = ("sgd", "adam"),
    learning_rate: Annotated[
        float | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Of every step (default: for sgd one over the largest curvature; else 0.05).",
        ),
    ] = None,
    l2: Annotated[
        tuple[float, ...],
        Parameter(
            consume_multiple=True,  # no hyphens: they would take in the option that follows
            negative="",
            help="Penalties: l2 / 2 * a^2.",
            show_default="0 0.1",
        ),
    ] = (0.0, 0.1),
    steps: Annotated[
        int | None,
        Parameter(
            converter=integer, help="Of each path (default: 1e5, or 1e4 for more than 1000 points)."
        ),
    ] = None,
    memory: Memory = MEMORY_BUDGET // 2**20,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Folder = None,
    animation: MovieFile = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Where gradient descent and Adam go on the landscapes of (a, b)."""
    if illustration is not None and (data is not None or population is not None):
        raise UsageError("--illustration stands in place of DATA and --population; give one")
    columns = (x, y, weight)
    starts = [_start(text) for text in start] or None  # before anything is read or drawn
    options = {
        "starts": starts,
        "optimizers": optimizer,
        "learning_rate": learning_rate,
        "l2": l2,
        "steps": steps,
        "memory_budget": memory_budget(memory),
        "progress": False if quiet else None,
    }
    if data is None and population is None:
        _require_none(columns, n, seed)
        tasks = list(_examples(illustration, validation, columns))
    else:
        tasks = [_given(data, columns, population, n, seed, validation)]
    files = [] if out is None else [out / one for task in tasks for one in _files(task)]
    written = files + ([] if animation is None else [animation])
    with folder(out, files, force=force):
        require_apart([data, validation], {"the animation": animation}, force=force)
        from sweep.training.paths.run import paths as follow

        found = [follow(task.data, validation=task.validation, **options) for task in tasks]
        drawn, animated = found if files else [], None if animation is None else found[-1]
        if written:
            _write(written, drawn, animated, progress=options["progress"], force=force)
    if as_json:
        _print_json(tasks, found, written)
    else:
        _print(tasks, found, written)


def _require_none(columns: tuple[str, str, str | None], n: str | None, seed: int | None) -> None:
    """Refuses options of data that are not given."""
    if n is not None or seed is not None:
        raise UsageError("--n and --seed are of samples of --population, which is not given")
    if columns != ("x", "y", None):
        raise UsageError("--x, --y and --weight are columns of DATA, which is not given")


def _examples(
    number: int | None, validation: Path | None, columns: tuple[str, str, str | None]
) -> Iterator[PathsRequest]:
    """The illustration that is asked for; or the second, and few points of its model."""
    watched = None if validation is None else _loaded(validation, columns)
    one = 2 if number is None else number
    if one not in ILLUSTRATIONS:
        raise UsageError(f"--illustration={one}: there are 1, 2 and 3")
    sample = illustration(one)
    heading = f"Illustration {one}: {len(sample)} points"
    yield PathsRequest(f"paths_illustration{one}", heading, sample, watched)
    if number is None:
        law, n, seed = FEW
        few = sweep.sample(law, n, seed)
        judge = "illustration 2" if validation is None else str(validation)
        heading = f"{n} points of the same model, watched on {judge}: {law}, seed {seed}"
        yield PathsRequest(
            "paths_few", filled(heading), few, sample if watched is None else watched
        )


def _given(
    data: Path | None,
    columns: tuple[str, str, str | None],
    population: str | None,
    n: str | None,
    seed: int | None,
    validation: Path | None,
) -> PathsRequest:
    """The data, or the law, that is asked for."""
    asked = source(data, columns, population, n, seed)
    if isinstance(asked, SketchFile):
        raise InputError(
            f"{asked.path}: is a sketch, which knows no path; give the data themselves"
        )
    if len(asked.sizes) > 1:
        raise UsageError(f"--n={n}: paths are of one size; ask for each by itself")
    (part,) = asked.parts()
    assert isinstance(part.data, Sample | Population)
    watched = None if validation is None else _loaded(validation, columns)
    return PathsRequest("paths", part.heading, part.data, watched)


def _loaded(path: Path, columns: tuple[str, str, str | None]) -> Sample:
    x, y, weight = columns
    return load(path, x=x, y=y, weight=weight)


def _start(text: str) -> tuple[float, float]:
    """A start from its text.

    Raises:
        UsageError: it is no pair of finite numbers.
    """
    try:
        a, b = map(float, text.split(","))
    except ValueError:
        a = b = math.nan
    if not math.isfinite(a + b):
        raise UsageError(f"--start={text}: two numbers A,B are needed, such as --start=-3,2.5")
    return a, b


def _files(task: PathsRequest) -> list[str]:
    """Names of what is written for a task, in the order of `_write`."""
    figures = ["", "_steps"] + (["_validation"] if task.validation is not None else [])
    return [f"{task.name}.nc", *(f"{task.name}{kind}.png" for kind in figures)]


def _write(
    files: Sequence[Path],
    found: Sequence[Paths],
    animated: Paths | None,
    *,
    progress: bool | None,
    force: bool,
) -> None:
    """Writes what was found, and one of them moving, if it is asked for; all or nothing."""
    from sweep import figures

    with together(files, force=force) as partial:
        remaining = iter(partial)
        for one in found:
            storage.save(one.dataset, next(remaining))
            figures.write(figures.paths(one), next(remaining))
            figures.write(figures.path_curves(one), next(remaining))
            if one.validation is not None:
                figures.write(figures.paths(one, validation=True), next(remaining))
        if animated is not None:
            movie = figures.moving(animated, validation=animated.validation is not None)
            figures.write_movie(movie, next(remaining), progress=progress)


def _print(tasks: Sequence[PathsRequest], found: Sequence[Paths], written: Sequence[Path]) -> None:
    from sweep.report.paths import path_lines

    for task, one in zip(tasks, found, strict=True):
        print(task.heading)
        print_lines(path_lines(one))
        print()
    for path in written:
        print(f"written: {path}")


def _print_json(
    tasks: Sequence[PathsRequest], found: Sequence[Paths], written: Sequence[Path]
) -> None:
    documents = [
        {"name": task.name} | one.to_dict() for task, one in zip(tasks, found, strict=True)
    ]
    print_json({"paths": documents, "written": [str(path) for path in written]})
