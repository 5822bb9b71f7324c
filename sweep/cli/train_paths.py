"""`sweep train paths`: where gradient descent and Adam go on the landscapes of (a, b)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter

import sweep
from sweep import figures
from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.ranges import pair
from sweep.base.tables import Table
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
from sweep.cli.outputs import folder, print_json, print_tables, require_apart, together
from sweep.cli.source import SketchFile, source
from sweep.cli.train import Folder
from sweep.data.sample import ILLUSTRATIONS, Sample, illustration, load
from sweep.populations import Population
from sweep.training.paths.run import Paths
from sweep.training.paths.run import paths as compute

FEW = ("uniform_logit(a=0.3,b=0.5)", 6, 7)
"""Law, size and seed of a small sample of the second illustration's model that a cut separates."""


class PathsRequest(NamedTuple):
    """Data to follow paths on.

    Attributes:
        name: stem of the files.
        heading: names the data.
        data: the training data.
        validation: the validation data, if any.
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
        int | None, Parameter(converter=integer, help="Instead of DATA: 1, 2 or 3.")
    ] = None,
    validation: Annotated[
        Path | None, Parameter(help="File of validation data, with the columns of DATA.")
    ] = None,
    start: Annotated[
        tuple[str, ...],
        Parameter(
            allow_leading_hyphen=True,
            negative="",
            help="Start of a path: A,B; may be repeated.",
            show_default="4, chosen by the data",
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
            help="Learning rate (default: 0.05; for sgd one over the largest curvature).",
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
            converter=integer,
            help="Steps of each path (default: 1e5, or 1e4 for more than 1000 points).",
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
    """Follows gradient descent and Adam on the landscapes of (a, b)."""
    if illustration is not None and (data is not None or population is not None):
        raise UsageError("--illustration, DATA and --population exclude each other; give one")
    columns = (x, y, weight)
    # Before anything is read or drawn.
    starts = [pair(text, "--start", "-3,2.5") for text in start] or None
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
        requests = list(_examples(illustration, validation, columns))
    else:
        requests = [_request(data, columns, population, n, seed, validation)]
    files = [] if out is None else [out / name for request in requests for name in _files(request)]
    written = files + ([] if animation is None else [animation])
    with folder(out, files, force=force):
        require_apart([data, validation], {"the animation": animation}, force=force)
        results = [compute(r.data, validation=r.validation, **options) for r in requests]
        drawn, animated = results if files else [], None if animation is None else results[-1]
        if written:
            _write(written, drawn, animated, progress=options["progress"], force=force)
    if as_json:
        _print_json(requests, results, written)
    else:
        _print(requests, results, written)


def _require_none(columns: tuple[str, str, str | None], n: str | None, seed: int | None) -> None:
    """Rejects options of data that are not given."""
    if n is not None or seed is not None:
        raise UsageError("--n and --seed need --population, which is not given")
    if columns != ("x", "y", None):
        raise UsageError("--x, --y and --weight name columns of DATA, which is not given")


def _examples(
    number: int | None, validation: Path | None, columns: tuple[str, str, str | None]
) -> Iterator[PathsRequest]:
    """The illustration of that number; without one the second, and a few points of its model."""
    watched = None if validation is None else _loaded(validation, columns)
    chosen = 2 if number is None else number
    if chosen not in ILLUSTRATIONS:
        raise UsageError(f"--illustration={chosen}: give 1, 2 or 3")
    sample = illustration(chosen)
    heading = f"Illustration {chosen}: {len(sample)} points"
    yield PathsRequest(f"paths_illustration{chosen}", heading, sample, watched)
    if number is None:
        law, n, seed = FEW
        few = sweep.sample(law, n, seed)
        judge = "illustration 2" if validation is None else str(validation)
        heading = f"{n} points of the same model, validated on {judge}: {law}, seed {seed}"
        yield PathsRequest("paths_few", heading, few, sample if watched is None else watched)


def _request(
    data: Path | None,
    columns: tuple[str, str, str | None],
    population: str | None,
    n: str | None,
    seed: int | None,
    validation: Path | None,
) -> PathsRequest:
    """The data or the law that the command line names."""
    data_source = source(data, columns, population, n, seed)
    if isinstance(data_source, SketchFile):
        raise InputError(
            f"{data_source.path}: is a sketch, and paths need the points; give the data"
        )
    if len(data_source.sizes) > 1:
        raise UsageError(f"--n={n}: paths have one size; ask for each size separately")
    (named,) = data_source.parts()
    assert isinstance(named.data, Sample | Population)
    watched = None if validation is None else _loaded(validation, columns)
    return PathsRequest("paths", named.heading, named.data, watched)


def _loaded(path: Path, columns: tuple[str, str, str | None]) -> Sample:
    x, y, weight = columns
    return load(path, x=x, y=y, weight=weight)


def _files(request: PathsRequest) -> list[str]:
    """Names of the files of a request, in the order of `_write`."""
    kinds = ["", "_steps"] + (["_validation"] if request.validation is not None else [])
    return [f"{request.name}.nc", *(f"{request.name}{kind}.png" for kind in kinds)]


def _write(
    files: Sequence[Path],
    results: Sequence[Paths],
    animated: Paths | None,
    *,
    progress: bool | None,
    force: bool,
) -> None:
    """Writes datasets, figures and the animation, all or none."""
    with together(files, force=force) as partial:
        remaining = iter(partial)
        for result in results:
            storage.save(result.dataset, next(remaining))
            figures.write(figures.paths(result), next(remaining))
            figures.write(figures.path_curves(result), next(remaining))
            if result.validation is not None:
                figures.write(figures.paths(result, validation=True), next(remaining))
        if animated is not None:
            movie = figures.moving(animated, validation=animated.validation is not None)
            figures.write_movie(movie, next(remaining), progress=progress)


def _print(
    requests: Sequence[PathsRequest], results: Sequence[Paths], written: Sequence[Path]
) -> None:
    for request, result in zip(requests, results, strict=True):
        print_tables([Table(title=request.heading), *result.tables()])
        print()
    for path in written:
        print(f"written: {path}")


def _print_json(
    requests: Sequence[PathsRequest], results: Sequence[Paths], written: Sequence[Path]
) -> None:
    documents = [
        {"name": request.name} | result.to_dict()
        for request, result in zip(requests, results, strict=True)
    ]
    print_json({"paths": documents, "written": [str(path) for path in written]})
