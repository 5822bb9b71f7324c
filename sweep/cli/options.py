"""Options that several commands have, each with its help."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token

from sweep.base.executors import Engine, Serial
from sweep.cli.app import UsageError


def integer(_: type, tokens: Sequence[Token]) -> int:
    """A whole number as it is written; 1e6 is one, and 2.5 is not rounded to one."""
    try:
        value = float(tokens[0].value)
    except ValueError:
        value = math.nan
    if not value.is_integer():  # nor are nan and inf
        raise ValueError
    return int(value)


Out = Annotated[Path | None, Parameter(help="Write the result here: .nc (netCDF) or .zarr.")]
FigureFile = Annotated[Path | None, Parameter(name="--figure", help="Draw it: .png, .pdf, .svg.")]
MovieFile = Annotated[Path | None, Parameter(name="--animation", help="Animate it: .gif, .mp4.")]
Force = Annotated[bool, Parameter(negative="", help="Overwrite what is there.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
XName = Annotated[str, Parameter(name="--x", help="Column of inputs.")]
YName = Annotated[str, Parameter(name="--y", help="Column of labels in [0, 1].")]
WeightName = Annotated[
    str | None, Parameter(name="--weight", help="Column of weights (default: weight, if there).")
]
DataFile = Annotated[
    Path | None, Parameter(help="CSV, NPY, NPZ or Parquet with columns x, y; or a sketch.")
]
LawName = Annotated[
    str | None,
    Parameter(help="In place of DATA: an id such as W1, or a law such as 'normal_logit(a=2)'."),
]
LawSize = Annotated[
    str | None, Parameter(help="Points of a sample of --population, or inf (default).")
]
LawSizes = Annotated[
    str | None,
    Parameter(help="Points of a sample of --population, or inf (default); several: 10,1e4,inf."),
]
LawSeed = Annotated[
    int | None,
    Parameter(converter=integer, help="Seed of the samples of --population (default 0)."),
]
Replicates = Annotated[int, Parameter(converter=integer, help="Samples of each size.")]
Seed = Annotated[int, Parameter(converter=integer, help="Of the samples.")]
Quiet = Annotated[bool, Parameter(negative="", help="Show no progress.")]
Memory = Annotated[int, Parameter(converter=integer, help="Working memory in MiB.")]

Workers = Annotated[
    int | None, Parameter(converter=integer, help="Processes of this machine that share the work.")
]
Scheduler = Annotated[
    str | None, Parameter(help="Address of a Dask scheduler, whose workers share the work.")
]

WORKERS = 32
"""Processes that may be asked for however few the cores are; each takes hundreds of MiB."""


def memory_budget(memory: int) -> int:
    """The bytes of a number of MiB.

    Raises:
        UsageError: it is less than one.
    """
    if memory < 1:
        raise UsageError(f"--memory={memory}: at least 1 MiB is needed")
    return memory * 2**20


def _require_workers(workers: int) -> None:
    """Refuses none, and more than this machine could start."""
    if workers < 1:
        raise UsageError(f"--workers={workers}: at least 1 is needed")
    cores = os.cpu_count() or 1
    if workers > max(WORKERS, 2 * cores):
        raise UsageError(
            f"--workers={workers}: they are processes of this machine, which has {cores} cores; "
            f"at most {max(WORKERS, 2 * cores)} can be asked for"
        )


def engine(workers: int | None, scheduler: str | None) -> Engine:
    """Who does the work that --workers or --scheduler share; this process if neither is given.

    Raises:
        UsageError: both are given, the address is empty, or there are fewer workers than one or
            far more than cores.
    """
    if workers is None and scheduler is None:
        return Serial()
    if workers is not None and scheduler is not None:
        raise UsageError("--workers and --scheduler exclude each other; give one of them")
    if workers is not None:
        _require_workers(workers)
    if scheduler is not None and not scheduler.strip():
        raise UsageError("--scheduler is empty; give an address, such as tcp://10.0.0.1:8786")
    from sweep.cluster import Dask  # which only those who share work wait for

    return Dask(workers, scheduler)
