"""`sweep sketch` and `sweep merge`: what is kept of data larger than memory, and adds up."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from sweep.base.errors import InputError
from sweep.base.executors import Engine, Serial
from sweep.base.grid import DEFAULT_AXIS, Grid, axis
from sweep.base.progress import bar
from sweep.cli.app import UsageError, app
from sweep.cli.grids import Intercepts, Metrics, Slopes, require_metrics, require_tolerance
from sweep.cli.options import (
    Force,
    Json,
    Quiet,
    Scheduler,
    WeightName,
    Workers,
    XName,
    YName,
    engine,
)
from sweep.cli.outputs import print_json, require_apart
from sweep.measure.sketch import archive
from sweep.measure.sketch.hosts import Host, agreed, together
from sweep.measure.sketch.schema import Schema, outward
from sweep.measure.sketch.sketch import Sketch
from sweep.report.text import counted, filled, size

if TYPE_CHECKING:
    from sweep.data.shards import Shards

PARTS_SHOWN = 5
"""Parts that are named; --json has them all."""

Made = TypeVar("Made")

SketchFile = Annotated[Path, Parameter(name=("--out", "-o"), help="Write the sketch here.")]


@app.command
def sketch(
    *shards: Annotated[Path, Parameter(help="Parquet, CSV, NPY or NPZ files, together a sample.")],
    out: SketchFile,
    a: Slopes = DEFAULT_AXIS,
    b: Intercepts = DEFAULT_AXIS,
    metric: Metrics = ("cross_entropy", "accuracy"),
    tolerance: Annotated[
        float, Parameter(help="Largest error of smooth metrics, as a multiple of max(1, value).")
    ] = 1e-9,
    within: Annotated[
        str | None,
        Parameter(
            name="--range",
            allow_leading_hyphen=True,
            help="LOW:HIGH that x is in (default: that of the data, rounded outward).",
        ),
    ] = None,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    coordinator: Annotated[
        str | None,
        Parameter(help="HOST:PORT of process 0, for the same command on several machines."),
    ] = None,
    processes: Annotated[int | None, Parameter(help="How many these are.")] = None,
    process: Annotated[int | None, Parameter(help="Which one this is, from 0.")] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read shards larger than memory once and keep what adds up: sweep merge adds.

    The sketch answers sweep landscape and sweep optimum: smooth metrics for all
    |a| up to the largest of --a, to the tolerance; counts exactly on the grid of
    --a and --b, and between two numbers elsewhere. Sketches to be merged need the
    same options, --range included.
    """
    if not shards:
        raise UsageError("give at least one SHARD: a file of data")
    require_metrics(metric)
    require_tolerance(tolerance)
    grid, given = Grid(axis(a, "--a"), axis(b, "--b")), None if within is None else _range(within)
    who, host = engine(workers, scheduler), _host(coordinator, processes, process)
    if host is not None and not isinstance(who, Serial):
        raise UsageError("--coordinator excludes --workers and --scheduler; give one of them")
    with nullcontext() if host is None else together(host):
        everywhere = _alone if host is None else agreed
        found = everywhere(partial(_opened, shards, (x, y, weight), out, force=force))
        show = False if quiet or (host is not None and host.process) else None
        ends = given or outward(_ends(found, host, show))
        made = _made(found, Schema.of(grid, ends, metric, tolerance), who, host, show)
        first = host is None or host.process == 0
        everywhere(lambda: _write(made, out, force=force) if first else None)
    if first:
        _tell(made, out, as_json=as_json)


@app.command
def merge(
    *sketches: Annotated[Path, Parameter(help="Files of sweep sketch or sweep merge.")],
    out: SketchFile,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add up sketches of parts of the data, in any order."""
    if not sketches:
        raise UsageError("give at least one FILE: a sketch")
    _require_out(sketches, out, force=force)
    whole = archive.merged(sketches)
    archive.write(whole, out, force=force)
    _tell(whole, out, as_json=as_json)


def _alone(work: Callable[[], Made]) -> Made:
    """Does the work of a process that has no others to agree with."""
    return work()


def _opened(
    paths: tuple[Path, ...], columns: tuple[str, str, str | None], out: Path, *, force: bool
) -> Shards:
    """The shards, once it is sure that the sketch can be written."""
    for path in paths:
        if archive.holds_sketch(path):
            raise UsageError(f"{path}: is a sketch, not a shard; sweep merge adds sketches up")
    _require_out(paths, out, force=force)
    from sweep.data.shards import Shards

    x, y, weight = columns
    return Shards.of(paths, x=x, y=y, weight=weight)


def _require_out(inputs: tuple[Path, ...], out: Path, *, force: bool) -> None:
    if out.suffix != archive.SUFFIX:
        raise UsageError(f"{out}: sketches are written as {archive.SUFFIX}; use such a name")
    require_apart(inputs, {"the sketch": out}, force=force)


def _ends(shards: Shards, host: Host | None, show: bool | None) -> tuple[float, float]:
    """(lowest, highest) x: by what Parquet files say of themselves, or else by a pass over x."""
    known = shards.ends()
    if known is not None:
        return known
    if host is not None:
        from sweep.measure.sketch import parallel

        return parallel.range_together(host, shards)
    with bar("range of x", shards.rows(), "rows", show) as step:
        return shards.scan(step)


def _made(
    shards: Shards, terms: Schema, who: Engine, host: Host | None, show: bool | None
) -> Sketch:
    """The sketch, by whoever is to make it."""
    from sweep.measure.sketch import builder, parallel

    files = len(shards.paths) if host is None else len(host.share(shards.paths))
    if host is not None:
        with bar("sketch", files, "shards", show, scale=False) as step:
            return parallel.sketched_together(host, shards, terms, step)
    if isinstance(who, Serial):
        with bar("sketch", shards.rows(), "rows", show) as step:
            return builder.sketched(shards, terms, step)
    with who, bar("sketch", files, "shards", show, scale=False) as step:
        return parallel.sketched(who, shards, terms, step)


def _write(made: Sketch, out: Path, *, force: bool) -> None:
    """Writes a sketch in which there is something."""
    if not made.total(0) + made.total(1):
        names = ", ".join(sorted(part.name for part in made.parts)[:PARTS_SHOWN])
        raise InputError(f"{names}: every weight is 0; at least one point must count")
    archive.write(made, out, force=force)


def _host(coordinator: str | None, processes: int | None, process: int | None) -> Host | None:
    """Which of several processes this is, if it is one."""
    given = [option is not None for option in (coordinator, processes, process)]
    if not any(given):
        return None
    if coordinator is None or processes is None or process is None:
        raise UsageError("--coordinator, --processes and --process go together; give all three")
    return Host(coordinator, processes, process)


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise UsageError(f"--range={text}: is not LOW:HIGH (example: --range=-8:8)") from None
    if not -math.inf < low <= high < math.inf:
        raise UsageError(f"--range={text}: two finite numbers are needed, the lower one first")
    return low, high


def _tell(made: Sketch, path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(made, path))
        return
    zero, one = (f"{made.total(label):.12g}" for label in (0, 1))
    mass = "points" if made.counted else "mass"
    print(filled(f"{path}: {counted(made.n, 'point')} in {counted(len(made.parts), 'part')}"))
    print(f"  {mass} of class 0 and 1: {zero} and {one}")
    low, high = float(made.extremes[:, 0].min()), float(made.extremes[:, 1].max())
    limits = "{:.9g} to {:.9g}".format(*made.terms.ends)
    print(filled(f"x from {low:.9g} to {high:.9g}, where {limits} is possible", "  "))
    grid = made.terms.grid
    print(f"  answers {made.scope}")
    print(f"  counts exactly on a grid of {len(grid.a)} x {len(grid.b)} cells")
    names = sorted(part.name for part in made.parts)[:PARTS_SHOWN]
    more = len(made.parts) - len(names)
    among = f" and {more} more (--json has them all)" if more else ""
    print(filled(f"parts: {', '.join(names)}{among}", "  "))
    print(f"  written: {path} ({size(path.stat().st_size)})")


def _document(made: Sketch, path: Path) -> dict[str, Any]:
    """What is in a sketch, for --json."""
    terms = made.terms
    return {
        "path": str(path),
        "n": made.n,
        "fingerprint": made.fingerprint,
        "counted": made.counted,
        "mass": [made.total(label) for label in (0, 1)],
        "extremes": made.extremes.tolist(),
        "range": terms.ends,
        "a": terms.grid.a.tolist(),
        "b": terms.grid.b.tolist(),
        "metrics": terms.metrics,
        "tolerance": terms.tolerance,
        "largest_a": terms.slope,
        "largest_b": terms.intercept,
        "parts": [part._asdict() for part in made.parts],
    }
