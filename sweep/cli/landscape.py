"""`sweep landscape`: metrics over a grid of slopes and intercepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sweep.base import storage
from sweep.base.grid import DEFAULT_AXIS, axis
from sweep.base.memory import MEMORY_BUDGET
from sweep.cli.app import UsageError, app
from sweep.cli.grids import (
    InterceptsOrOwn,
    MetricsOrOwn,
    SlopesOrOwn,
    require_metrics,
    require_tolerance,
)
from sweep.cli.options import (
    DataFile,
    FigureFile,
    Force,
    Json,
    LawName,
    LawSeed,
    LawSizes,
    Memory,
    MovieFile,
    Out,
    Quiet,
    WeightName,
    XName,
    YName,
    memory_budget,
)
from sweep.cli.outputs import animate, draw, print_json, print_lines, require_outputs
from sweep.cli.panels import ComputedLandscape, LandscapeRequest, titled, whole
from sweep.cli.source import File, Law, SketchFile, source
from sweep.report.landscape import landscape_lines


@app.command
def landscape(
    data: DataFile = None,
    /,
    *,
    population: LawName = None,
    n: LawSizes = None,
    seed: LawSeed = None,
    a: SlopesOrOwn = None,
    b: InterceptsOrOwn = None,
    metric: MetricsOrOwn = None,
    tolerance: Annotated[
        float | None,
        Parameter(
            help="Largest error accepted, as a multiple of max(1, value) (default: 1e-9, or of the "
            "sketch)."
        ),
    ] = None,
    method: Annotated[
        Literal["auto", "direct", "compressed"],
        Parameter(help="How smooth metrics are computed: auto takes the cheaper."),
    ] = "auto",
    dtype: Annotated[
        Literal["float64", "float32"], Parameter(help="Precision of smooth metrics.")
    ] = "float64",
    memory: Memory = MEMORY_BUDGET // 2**20,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Out = None,
    figure: FigureFile = None,
    animation: MovieFile = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Metrics over a grid of slopes a and intercepts b: --a=-5:5:101 --b=-5:5:101.

    An axis is LOW:HIGH:COUNT (both ends included), LOW:HIGH:COUNT:log, or a list
    0,1,2.5. Several sizes of a law, such as --n=10,100,1e4,inf, become one result
    with the dimension n, and one --animation with a frame for each. A sketch (of
    sweep sketch) knows counts exactly on its own grid, and otherwise between two
    numbers: accuracy_lower and accuracy_upper.

    A result larger than --memory is written tile by tile if --out is a .zarr; then
    a figure shows 400 points of each axis, and --json prints no values.
    """
    asked = source(data, (x, y, weight), population, n, seed)
    require_outputs(asked.path, out, figure, force, animation)
    if out is not None:
        storage.require_format(out)
    budget = memory_budget(memory)
    options = _options(asked, a, b, metric, tolerance) | {"method": method, "dtype": dtype}
    if animation is not None:
        _require_frames(asked, options)
    progress = False if quiet else None
    task = LandscapeRequest(asked, budget, progress, options)
    optima = figure is not None or animation is not None
    if out is not None and task.large(out):
        panels = [task.written(out, optima=optima, force=force)]
        shown = panels[0].landscape.to_dict(data=False) if as_json else {}
    else:
        panels = task.panels(optima=optima)
        result = whole(asked, panels)
        if out is not None:
            storage.save(result, out, force=force)
        shown = result.to_dict() if as_json else {}
    _draw(panels, figure, animation, progress, force=force)
    if as_json:
        print_json(shown)
    else:
        for panel in panels:
            between = ", " if isinstance(asked, File) else "\n  "
            heading, on_disk = panel.part.heading, panel.on_disk
            print_lines(landscape_lines(heading, panel.landscape, between, on_disk=on_disk))
        for path in (out, figure, animation):
            if path is not None:
                print(f"  written: {path}")


def _require_frames(asked: File | SketchFile | Law, options: dict[str, Any]) -> None:
    """Refuses what cannot be animated."""
    if len(asked.sizes) < 2:
        raise UsageError("--animation shows n growing; give a --population and several sizes --n")
    if min(len(options["a"]), len(options["b"])) < 2:
        raise UsageError("--animation needs at least two slopes --a and two intercepts --b")


def _draw(
    panels: list[ComputedLandscape],
    figure: Path | None,
    animation: Path | None,
    progress: bool | None,
    *,
    force: bool,
) -> None:
    """Writes the figure and the animation that are asked for."""
    if figure is not None:
        draw(titled(panels), figure, force=force)
    if animation is not None:
        animate(titled(panels), animation, progress, force=force)


def _options(
    asked: File | SketchFile | Law,
    a: str | None,
    b: str | None,
    metrics: tuple[str, ...] | None,
    tolerance: float | None,
) -> dict[str, Any]:
    """Options of `sweep.landscape`; what is not given is as of the sketch, if it is one."""
    given = {
        "a": None if a is None else axis(a, "--a"),
        "b": None if b is None else axis(b, "--b"),
        "metrics": metrics,
        "tolerance": tolerance,
    }
    require_metrics(metrics or ())
    require_tolerance(1.0 if tolerance is None else tolerance)
    own = {
        "a": axis(DEFAULT_AXIS),
        "b": axis(DEFAULT_AXIS),
        "metrics": ("cross_entropy", "accuracy"),
        "tolerance": 1e-9,
    }
    if isinstance(asked, SketchFile):
        terms = asked.sketch.terms
        own |= {"a": terms.grid.a, "b": terms.grid.b}
        own |= {"metrics": terms.metrics, "tolerance": terms.tolerance}
    return own | {name: value for name, value in given.items() if value is not None}
