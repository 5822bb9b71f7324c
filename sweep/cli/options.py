"""Options that several commands share, each with its help and its checks."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token

from sweep.base.errors import InputError
from sweep.base.executors import Engine, Serial
from sweep.cli.app import UsageError
from sweep.cluster import Dask
from sweep.metrics.metrics import known as known_metrics
from sweep.metrics.metrics import metric as metric_named


def integer(_: type, tokens: Sequence[Token]) -> int:
    """Converts text to a whole number: accepts 1e6, rejects 2.5 and 1_000."""
    text = tokens[0].value
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer():  # nor are nan and inf
        raise ValueError
    return int(value)


Out = Annotated[Path | None, Parameter(help="Write the result here: .nc (netCDF) or .zarr.")]
FigureFile = Annotated[Path | None, Parameter(name="--figure", help="Draw it: .png, .pdf, .svg.")]
MovieFile = Annotated[Path | None, Parameter(name="--animation", help="Animate it: .gif, .mp4.")]
Force = Annotated[bool, Parameter(negative="", help="Overwrite existing files.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
XName = Annotated[str, Parameter(name="--x", help="Column of inputs.")]
YName = Annotated[str, Parameter(name="--y", help="Column of labels in [0, 1].")]
WeightName = Annotated[
    str | None, Parameter(name="--weight", help="Column of weights (default: weight, if present).")
]
DataFile = Annotated[
    Path | None, Parameter(help="CSV, NPY, NPZ or Parquet file with columns x, y; or a sketch.")
]
LawName = Annotated[
    str | None,
    Parameter(help="Instead of DATA: an id such as W1, or a law such as 'normal_logit(a=2)'."),
]
LawSize = Annotated[
    str | None, Parameter(help="Points to draw from --population, or inf (default).")
]
LawSizes = Annotated[
    str | None,
    Parameter(help="Points to draw from --population, or inf (default); several: 10,1e4,inf."),
]
LawSeed = Annotated[
    int | None,
    Parameter(converter=integer, help="Seed of the draws from --population (default 0)."),
]
Replicates = Annotated[int, Parameter(converter=integer, help="Samples drawn of each size.")]
Seed = Annotated[int, Parameter(converter=integer, help="Seed of the samples.")]
Quiet = Annotated[bool, Parameter(negative="", help="Show no progress.")]
Memory = Annotated[int, Parameter(converter=integer, help="Working memory in MiB.")]

Workers = Annotated[
    int | None, Parameter(converter=integer, help="Processes on this machine that share the work.")
]
Scheduler = Annotated[
    str | None, Parameter(help="Address of a Dask scheduler whose workers share the work.")
]

Slopes = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of slopes.")]
Intercepts = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of intercepts.")]
Metrics = Annotated[
    tuple[str, ...],
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; sweep/README.md has their formulas.",
        show_default=" ".join,
    ),
]
SlopesOrSketch = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True,
        help="Axis of slopes (default: -5:5:101, or those of the sketch).",
    ),
]
InterceptsOrSketch = Annotated[
    str | None,
    Parameter(
        allow_leading_hyphen=True,
        help="Axis of intercepts (default: -5:5:101, or those of the sketch).",
    ),
]
MetricsOrSketch = Annotated[
    tuple[str, ...] | None,
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; sweep/README.md has their formulas "
        "(default: cross_entropy accuracy, or those of the sketch).",
    ),
]

MOST_WORKERS = 32  # on a machine of few cores; each process takes hundreds of MiB


def memory_budget(memory: int) -> int:
    """Bytes of so many MiB; rejects less than one."""
    if memory < 1:
        raise UsageError(f"--memory={memory}: at least 1 MiB is needed")
    return memory * 2**20


def _require_workers(workers: int) -> None:
    """Rejects fewer than one worker, and more than this machine can start."""
    if workers < 1:
        raise UsageError(f"--workers={workers}: at least 1 is needed")
    cores = os.cpu_count() or 1
    if workers > max(MOST_WORKERS, 2 * cores):
        raise UsageError(
            f"--workers={workers}: this machine has {cores} cores; "
            f"give at most {max(MOST_WORKERS, 2 * cores)}"
        )


def engine(workers: int | None, scheduler: str | None) -> Engine:
    """The executor that --workers or --scheduler name; this process if neither is given."""
    if workers is None and scheduler is None:
        return Serial()
    if workers is not None and scheduler is not None:
        raise UsageError("--workers and --scheduler exclude each other; give one of them")
    if workers is not None:
        _require_workers(workers)
    if scheduler is not None and not scheduler.strip():
        raise UsageError("--scheduler is empty; give an address, such as tcp://10.0.0.1:8786")
    return Dask(workers, scheduler)


def require_tolerance(tolerance: float) -> None:
    """Rejects a tolerance that is not a positive number."""
    if not 0 < tolerance < math.inf:
        raise UsageError(f"--tolerance={tolerance:g}: a positive number is needed")


def require_metrics(names: tuple[str, ...]) -> None:
    """Rejects unknown metrics."""
    for name in names:
        try:
            metric_named(name)
        except InputError as error:
            raise UsageError(f"--metric: {error}") from None
