"""`sweep landscape`: metrics over a grid of slopes and intercepts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import xarray as xr
from cyclopts import Parameter

import sweep
from sweep.base import storage
from sweep.base.grid import Grid
from sweep.base.memory import MEMORY_BUDGET
from sweep.base.ranges import DEFAULT_AXIS, axis
from sweep.cli.app import UsageError
from sweep.cli.options import (
    DataFile,
    FigureFile,
    Force,
    InterceptsOrSketch,
    Json,
    LawName,
    LawSeed,
    LawSizes,
    Memory,
    MetricsOrSketch,
    MovieFile,
    Out,
    Quiet,
    SlopesOrSketch,
    WeightName,
    XName,
    YName,
    memory_budget,
    require_metrics,
    require_tolerance,
)
from sweep.cli.outputs import animate, draw, print_json, print_tables, require_outputs
from sweep.cli.source import Law, NamedData, SketchFile, Source, source
from sweep.data.sample import Sample
from sweep.landscapes import out_of_core
from sweep.landscapes.landscape import prepare
from sweep.landscapes.stack import stacked
from sweep.landscapes.tables import landscape_tables
from sweep.measure.measure import as_measure
from sweep.optima.records import Optimum


class ComputedLandscape(NamedTuple):
    """The landscape of a file, or of one size of a law.

    Attributes:
        source: what it is computed from.
        landscape: its metrics.
        optimum: its optima; None where no figure needs them.
        on_disk: whether the landscape is a store that is read lazily.
    """

    source: NamedData
    landscape: xr.Dataset
    optimum: Optimum | None
    on_disk: bool = False


@dataclass(frozen=True)
class LandscapeRequest:
    """What to compute.

    Attributes:
        source: from what.
        budget: bytes of working memory.
        progress: whether to show bars; None shows them if stderr is a terminal.
        options: further arguments of `sweep.landscape`.
    """

    source: Source
    budget: int
    progress: bool | None
    options: dict[str, Any]

    def large(self, out: Path) -> bool:
        """Whether the landscape is written tile by tile instead of held in memory."""
        names = self.options["metrics"]
        grid = Grid(self.options["a"], self.options["b"])
        needed = grid.bytes_of(len(names) + ("accuracy" in names))
        return needed > self.budget and out.suffix == ".zarr" and len(self.source.sizes) < 2

    def computed(self, *, optima: bool) -> list[ComputedLandscape]:
        """The landscapes, in memory, with their optima if these are needed."""
        landscapes = []
        for named in self.source.parts():
            data, optimum = _with_optimum(named, optima=optima)
            dataset = sweep.landscape(
                data, memory_budget=self.budget, progress=self.progress, **self.options
            )
            landscapes.append(ComputedLandscape(named, dataset, optimum))
        return landscapes

    def written(self, out: Path, *, optima: bool, force: bool) -> ComputedLandscape:
        """The landscape as a store, written tile by tile."""
        (named,) = self.source.parts()
        data, optimum = _with_optimum(named, optima=optima)
        prepared = prepare(data, memory_budget=self.budget, progress=self.progress, **self.options)
        law = _law_attributes(self.source)
        dataset = out_of_core.landscape(
            prepared, out, self.budget, self.progress, force=force, attributes=law
        )
        return ComputedLandscape(named, dataset, optimum, on_disk=True)


def _with_optimum(named: NamedData, *, optima: bool) -> tuple[Any, Optimum | None]:
    """The data for a landscape, and their optima; a sample is split and sorted once for both."""
    if not optima:
        return named.data, None
    data = as_measure(named.data) if isinstance(named.data, Sample) else named.data
    return data, sweep.optimum(data)


def _law_attributes(data_source: Source) -> dict[str, Any]:
    """Dataset attributes that name the law and the seed."""
    if not isinstance(data_source, Law):
        return {}
    seed = {"seed": data_source.seed} if any(map(math.isfinite, data_source.sizes)) else {}
    return {"population": data_source.law.name} | seed


def _merged(data_source: Source, computed: list[ComputedLandscape]) -> xr.Dataset:
    """One dataset of all landscapes, with the law in its attributes."""
    landscapes = [one_size.landscape for one_size in computed]
    dataset = landscapes[0] if len(landscapes) == 1 else stacked(landscapes, data_source.sizes)
    dataset.attrs |= _law_attributes(data_source)
    return dataset


def _panels(computed: list[ComputedLandscape]) -> list[tuple[str, xr.Dataset, Optimum]]:
    """What a figure draws: title, landscape and optima of each size."""
    return [(c.source.title, _drawable(c), c.optimum) for c in computed if c.optimum is not None]


def _drawable(computed: ComputedLandscape) -> xr.Dataset:
    """The landscape thinned if it is on disk, without metrics that are nan everywhere."""
    dataset = computed.landscape
    if computed.on_disk:
        dataset = out_of_core.thinned(dataset)
    return dataset.drop_vars([name for name in dataset.data_vars if dataset[name].isnull().all()])


def landscape(
    data: DataFile = None,
    /,
    *,
    population: LawName = None,
    n: LawSizes = None,
    seed: LawSeed = None,
    a: SlopesOrSketch = None,
    b: InterceptsOrSketch = None,
    metric: MetricsOrSketch = None,
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
    """Computes metrics over a grid of slopes a and intercepts b."""
    data_source = source(data, (x, y, weight), population, n, seed)
    require_outputs(data_source.path, out, figure, force, animation)
    if out is not None:
        storage.require_format(out)
    budget = memory_budget(memory)
    options = _options(data_source, a, b, metric, tolerance) | {"method": method, "dtype": dtype}
    if animation is not None:
        _require_frames(data_source, options)
    progress = False if quiet else None
    request = LandscapeRequest(data_source, budget, progress, options)
    optima = figure is not None or animation is not None
    if out is not None and request.large(out):
        landscapes = [request.written(out, optima=optima, force=force)]
        document = landscapes[0].landscape.to_dict(data=False) if as_json else {}
    else:
        landscapes = request.computed(optima=optima)
        dataset = _merged(data_source, landscapes)
        if out is not None:
            storage.save(dataset, out, force=force)
        document = dataset.to_dict() if as_json else {}
    _draw(_panels(landscapes), figure, animation, progress, force=force)
    if as_json:
        print_json(document)
        return
    for computed in landscapes:
        heading = computed.source.heading
        print_tables(landscape_tables(heading, computed.landscape, computed.on_disk))
    for path in (out, figure, animation):
        if path is not None:
            print(f"  written: {path}")


def _draw(
    panels: list[tuple[str, xr.Dataset, Optimum]],
    figure: Path | None,
    animation: Path | None,
    progress: bool | None,
    *,
    force: bool,
) -> None:
    if figure is not None:
        draw(panels, figure, force=force)
    if animation is not None:
        animate(panels, animation, progress, force=force)


def _require_frames(data_source: Source, options: dict[str, Any]) -> None:
    """Rejects a request that has no frames to animate."""
    if len(data_source.sizes) < 2:
        raise UsageError("--animation shows n growing; give a --population and several sizes --n")
    if min(len(options["a"]), len(options["b"])) < 2:
        raise UsageError("--animation needs at least two slopes --a and two intercepts --b")


def _options(
    data_source: Source,
    a: str | None,
    b: str | None,
    metrics: tuple[str, ...] | None,
    tolerance: float | None,
) -> dict[str, Any]:
    """Options of `sweep.landscape`: from the command line, else from the sketch, else defaults."""
    require_metrics(metrics or ())
    require_tolerance(1.0 if tolerance is None else tolerance)
    options = {
        "a": axis(DEFAULT_AXIS),
        "b": axis(DEFAULT_AXIS),
        "metrics": ("cross_entropy", "accuracy"),
        "tolerance": 1e-9,
    }
    if isinstance(data_source, SketchFile):
        schema = data_source.sketch.schema
        options |= {"a": schema.grid.a, "b": schema.grid.b}
        options |= {"metrics": schema.metrics, "tolerance": schema.tolerance}
    from_command_line = {
        "a": None if a is None else axis(a, "--a"),
        "b": None if b is None else axis(b, "--b"),
        "metrics": metrics,
        "tolerance": tolerance,
    }
    return options | {name: v for name, v in from_command_line.items() if v is not None}
