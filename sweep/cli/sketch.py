"""`sweep sketch` and `sweep merge`: sketches of data larger than memory, which add up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sweep.base.errors import InputError
from sweep.base.executors import Engine, Serial
from sweep.base.grid import Grid
from sweep.base.progress import bar
from sweep.base.ranges import DEFAULT_AXIS, axis, pair
from sweep.base.tables import Table
from sweep.base.wording import counted, size
from sweep.cli.app import UsageError
from sweep.cli.options import (
    Force,
    Intercepts,
    Json,
    Metrics,
    Quiet,
    Scheduler,
    Slopes,
    WeightName,
    Workers,
    XName,
    YName,
    engine,
    require_metrics,
    require_tolerance,
)
from sweep.cli.outputs import print_json, print_tables, require_apart
from sweep.data.shards import Shards
from sweep.measure.sketch import archive, builder
from sweep.measure.sketch.schema import Schema, round_outward
from sweep.measure.sketch.sketch import Sketch

PARTS_SHOWN = 5  # parts that are named; --json has them all

SketchFile = Annotated[Path, Parameter(name=("--out", "-o"), help="Write the sketch here.")]


def sketch(
    *shards: Annotated[Path, Parameter(help="Parquet, CSV, NPY or NPZ files of one sample.")],
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
            help="LOW:HIGH, the range of x (default: from the data, rounded outward).",
        ),
    ] = None,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Reads data larger than memory once, and keeps a sketch of them."""
    if not shards:
        raise UsageError("give at least one SHARD: a file of data")
    require_metrics(metric)
    require_tolerance(tolerance)
    grid = Grid(axis(a, "--a"), axis(b, "--b"))
    range_of_x = None if within is None else _range(within)
    executor = engine(workers, scheduler)
    data = _opened(shards, (x, y, weight), out, force=force)
    show = False if quiet else None
    ends = range_of_x or round_outward(_ends(data, show))
    result = _sketched(data, Schema.of(grid, ends, metric, tolerance), executor, show)
    _write(result, out, force=force)
    _print_sketch(result, out, as_json=as_json)


def merge(
    *sketches: Annotated[Path, Parameter(help="Files of sweep sketch or sweep merge.")],
    out: SketchFile,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Adds up sketches of parts of the data."""
    if not sketches:
        raise UsageError("give at least one FILE: a sketch")
    _require_out(sketches, out, force=force)
    result = archive.merged(sketches)
    archive.write(result, out, force=force)
    _print_sketch(result, out, as_json=as_json)


def _opened(
    paths: tuple[Path, ...], columns: tuple[str, str, str | None], out: Path, *, force: bool
) -> Shards:
    """Opens the shards, after checking that the sketch can be written."""
    for path in paths:
        if archive.holds_sketch(path):
            raise UsageError(f"{path}: is a sketch, not a file of data; add it with sweep merge")
    _require_out(paths, out, force=force)
    x, y, weight = columns
    return Shards.of(paths, x=x, y=y, weight=weight)


def _require_out(inputs: tuple[Path, ...], out: Path, *, force: bool) -> None:
    if out.suffix != archive.SUFFIX:
        raise UsageError(f"{out}: names of sketches end in {archive.SUFFIX}")
    require_apart(inputs, {"the sketch": out}, force=force)


def _ends(shards: Shards, show: bool | None) -> tuple[float, float]:
    """(lowest, highest) x: from the metadata of Parquet files, else by a pass over x."""
    recorded = shards.ends()
    if recorded is not None:
        return recorded
    with bar("range of x", shards.rows(), "rows", show) as step:
        return shards.scan(step)


def _sketched(shards: Shards, schema: Schema, executor: Engine, show: bool | None) -> Sketch:
    """Makes the sketch, alone or with workers."""
    if isinstance(executor, Serial):
        with bar("sketch", shards.rows(), "rows", show) as step:
            return builder.sketch_files(shards, schema, step)
    with executor, bar("sketch", len(shards.paths), "shards", show, scale=False) as step:
        return builder.sketch_with(executor, shards, schema, step)


def _write(result: Sketch, out: Path, *, force: bool) -> None:
    """Writes a sketch that holds some mass."""
    if not result.total(0) + result.total(1):
        names = ", ".join(sorted(part.name for part in result.parts)[:PARTS_SHOWN])
        raise InputError(f"{names}: every weight is 0; at least one must be positive")
    archive.write(result, out, force=force)


def _range(text: str) -> tuple[float, float]:
    low, high = pair(text, "--range", "-8:8")
    if low > high:
        raise UsageError(f"--range={text}: give the lower number first")
    return low, high


def _print_sketch(result: Sketch, path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(result, path))
        return
    mass0, mass1 = (f"{result.total(label):.12g}" for label in (0, 1))
    mass = "points" if result.counted else "mass"
    low, high = float(result.extremes[:, 0].min()), float(result.extremes[:, 1].max())
    limits = "{:.9g} to {:.9g}".format(*result.schema.ends)
    grid = result.schema.grid
    names = sorted(part.name for part in result.parts)[:PARTS_SHOWN]
    more = len(result.parts) - len(names)
    among = f" and {more} more (--json has them all)" if more else ""
    title = f"{path}: {counted(result.n, 'point')} in {counted(len(result.parts), 'part')}"
    notes = (
        f"{mass} of class 0 and 1: {mass0} and {mass1}",
        f"x from {low:.9g} to {high:.9g}, within the range {limits}",
        f"answers {result.scope}",
        f"counts exactly on a grid of {len(grid.a)} x {len(grid.b)} cells",
        f"parts: {', '.join(names)}{among}",
        f"written: {path} ({size(path.stat().st_size)})",
    )
    print_tables([Table(title=title, notes=notes)])


def _document(result: Sketch, path: Path) -> dict[str, Any]:
    """The content of a sketch, for --json."""
    schema = result.schema
    return {
        "path": str(path),
        "n": result.n,
        "fingerprint": result.fingerprint,
        "counted": result.counted,
        "mass": [result.total(label) for label in (0, 1)],
        "extremes": result.extremes.tolist(),
        "range": schema.ends,
        "a": schema.grid.a.tolist(),
        "b": schema.grid.b.tolist(),
        "metrics": schema.metrics,
        "tolerance": schema.tolerance,
        "largest_a": schema.slope,
        "largest_b": schema.intercept,
        "parts": [part._asdict() for part in result.parts],
    }
