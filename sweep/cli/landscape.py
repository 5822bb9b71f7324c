"""`sweep landscape`: metrics over a grid of slopes and intercepts."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

import sweep
from sweep import store
from sweep.cli.app import UsageError, app
from sweep.cli.options import (
    DataFile,
    FigureFile,
    Force,
    Json,
    LawName,
    LawSeed,
    LawSizes,
    Memory,
    Out,
    Quiet,
    WeightName,
    XName,
    YName,
    memory_budget,
)
from sweep.cli.outputs import print_json, require_outputs
from sweep.cli.source import File, Law, Part, source
from sweep.data import InputError
from sweep.grid import axis
from sweep.landscape import BUDGET
from sweep.losses import known as known_metrics
from sweep.losses import metric as metric_named
from sweep.optimum import Optimum

if TYPE_CHECKING:
    import xarray as xr

Slopes = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of slopes.")]
Intercepts = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of intercepts.")]
Metrics = Annotated[
    tuple[str, ...],
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; the README has their formulas.",
        show_default=" ".join,
    ),
]


@app.command
def landscape(
    data: DataFile = None,
    /,
    *,
    population: LawName = None,
    n: LawSizes = None,
    seed: LawSeed = None,
    a: Slopes = "-5:5:101",
    b: Intercepts = "-5:5:101",
    metric: Metrics = ("cross_entropy", "accuracy"),
    tolerance: Annotated[
        float, Parameter(help="Largest error accepted, as a multiple of max(1, value).")
    ] = 1e-9,
    method: Annotated[
        Literal["auto", "direct", "compressed"],
        Parameter(help="How smooth metrics are computed: auto takes the cheaper."),
    ] = "auto",
    dtype: Annotated[
        Literal["float64", "float32"], Parameter(help="Precision of smooth metrics.")
    ] = "float64",
    memory: Memory = BUDGET // 2**20,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Out = None,
    figure: FigureFile = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Metrics over a grid of slopes a and intercepts b: --a=-5:5:101 --b=-5:5:101.

    An axis is LOW:HIGH:COUNT (both ends included), LOW:HIGH:COUNT:log, or a list
    0,1,2.5. Several sizes of a law, such as --n=10,100,1e4,inf, become one result
    with the dimension n.
    """
    asked = source(data, (x, y, weight), population, n, seed)
    require_outputs(asked.path, out, figure, force)
    if out is not None:
        store.require_format(out)
    _require_metrics(metric)
    budget = memory_budget(memory)
    if not 0 < tolerance < float("inf"):
        raise UsageError(f"--tolerance={tolerance:g}: a positive number is needed")
    compute = partial(
        sweep.landscape,
        a=axis(a, "--a"),
        b=axis(b, "--b"),
        metrics=metric,
        tolerance=tolerance,
        method=method,
        dtype=dtype,
        memory_budget=budget,
        progress=False if quiet else None,
    )
    panels = []
    for part in asked.parts():
        best = None if figure is None else sweep.optimum(part.data)
        panels.append(Panel(part, compute(part.data), best))
    result = _whole(asked, panels)
    if out is not None:
        store.save(result, out, force=force)
    if figure is not None:
        _draw(panels, figure, force=force)
    if as_json:
        print_json(result.to_dict())
    else:
        for panel in panels:
            _print_landscape(panel, "\n  " if isinstance(asked, Law) else ", ")
        for path in (out, figure):
            if path is not None:
                print(f"  written: {path}")


class Panel(NamedTuple):
    """The landscape of one size, or of the file.

    Attributes:
        part: what it is of.
        landscape: its metrics.
        optimum: its optima; None where no figure asks for them.
    """

    part: Part
    landscape: xr.Dataset
    optimum: Optimum | None


def _whole(asked: File | Law, panels: list[Panel]) -> xr.Dataset:
    """One dataset, which says what law it is of."""
    from sweep.series import stacked

    landscapes = [panel.landscape for panel in panels]
    result = landscapes[0] if len(landscapes) == 1 else stacked(landscapes, asked.sizes)
    if isinstance(asked, Law):
        result.attrs["population"] = asked.law.name
        if any(map(math.isfinite, asked.sizes)):
            result.attrs["seed"] = asked.seed
    return result


def _draw(panels: list[Panel], figure: Path, *, force: bool) -> None:
    from sweep import figures

    columns = [(p.part.title, p.landscape, p.optimum) for p in panels if p.optimum is not None]
    _, only, best = columns[0]
    drawn = (
        figures.landscapes(only, best) if len(columns) == 1 else figures.small_multiples(columns)
    )
    figures.write(drawn, figure, force=force)


def _require_metrics(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            metric_named(name)
        except InputError as error:
            raise UsageError(f"--metric: {error}") from None


def _print_landscape(panel: Panel, between: str) -> None:
    result = panel.landscape
    cells = f"{result.sizes['a']} x {result.sizes['b']} cells"
    print(f"{panel.part.heading}{between}{cells}{_method(result.attrs)}")
    names = [str(name) for name in result.data_vars if name != "correct"]
    width = max(len(name) for name in names)
    for name in names:
        metric = result[name]
        ends = {"lowest": metric.argmin(...), "highest": metric.argmax(...)}
        for end, index in ends.items():
            cell = metric[index]
            place = f"a = {cell.a.item():g}, b = {cell.b.item():g}"
            ties = int((metric == cell).sum())
            among = f" and {ties - 1} more" if ties > 1 else ""
            print(f"  {end:8}{name:{width}}  {cell.item():.10g} at {place}{among}")


def _method(attrs: dict[str, Any]) -> str:
    """How smooth metrics were computed, and how wrong they can be."""
    if "method" not in attrs:
        return ""
    seen = f", {attrs['observed_error']:.0e} seen" if "observed_error" in attrs else ""
    return f", {attrs['method']}: error at most {attrs['error_bound']:.0e}{seen}"
