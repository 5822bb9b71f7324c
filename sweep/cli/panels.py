"""Landscapes that a command computes, in memory or on disk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sweep
from sweep.base.grid import Grid
from sweep.cli.source import File, Law, NamedData, SketchFile
from sweep.landscapes.landscape import prepare
from sweep.optima.records import Optimum

if TYPE_CHECKING:
    import xarray as xr


class ComputedLandscape(NamedTuple):
    """The landscape of one size, or of the file.

    Attributes:
        part: what it is of.
        landscape: its metrics.
        optimum: its optima; None where no figure asks for them.
        on_disk: whether it is read from a store where it is used.
    """

    part: NamedData
    landscape: xr.Dataset
    optimum: Optimum | None
    on_disk: bool = False


@dataclass(frozen=True)
class LandscapeRequest:
    """What is to be computed.

    Attributes:
        asked: on what.
        budget: bytes of working memory.
        progress: whether to show bars; None where stderr is a terminal.
        options: others of `sweep.landscape`.
    """

    asked: File | SketchFile | Law
    budget: int
    progress: bool | None
    options: dict[str, Any]

    def large(self, out: Path) -> bool:
        """Whether the one landscape that is asked for had better not be held in memory."""
        names = self.options["metrics"]
        grid = Grid(self.options["a"], self.options["b"])
        needed = grid.bytes_of(len(names) + ("accuracy" in names))
        return needed > self.budget and out.suffix == ".zarr" and len(self.asked.sizes) < 2

    def panels(self, *, optima: bool) -> list[ComputedLandscape]:
        """The landscapes, in memory, and their optima if these are asked for."""
        found = []
        for part in self.asked.parts():
            best = sweep.optimum(part.data) if optima else None
            dataset = sweep.landscape(
                part.data, memory_budget=self.budget, progress=self.progress, **self.options
            )
            found.append(ComputedLandscape(part, dataset, best))
        return found

    def written(self, out: Path, *, optima: bool, force: bool) -> ComputedLandscape:
        """The landscape as a store, tile by tile."""
        from sweep.landscapes import out_of_core

        (part,) = self.asked.parts()
        best = sweep.optimum(part.data) if optima else None
        prepared = prepare(
            part.data, memory_budget=self.budget, progress=self.progress, **self.options
        )
        dataset = out_of_core.landscape(
            prepared, out, self.budget, self.progress, force=force, attributes=_origin(self.asked)
        )
        return ComputedLandscape(part, dataset, best, on_disk=True)


def _origin(asked: File | SketchFile | Law) -> dict[str, Any]:
    """What law a dataset is of, as attributes."""
    if not isinstance(asked, Law):
        return {}
    seed = {"seed": asked.seed} if any(map(math.isfinite, asked.sizes)) else {}
    return {"population": asked.law.name} | seed


def whole(asked: File | SketchFile | Law, panels: list[ComputedLandscape]) -> xr.Dataset:
    """One dataset, which says what law it is of."""
    from sweep.landscapes.stack import stacked

    landscapes = [panel.landscape for panel in panels]
    result = landscapes[0] if len(landscapes) == 1 else stacked(landscapes, asked.sizes)
    result.attrs |= _origin(asked)
    return result


def titled(panels: list[ComputedLandscape]) -> list[tuple[str, xr.Dataset, Optimum]]:
    """What a figure of landscapes with their optima shows."""
    return [(p.part.title, _view(p), p.optimum) for p in panels if p.optimum is not None]


def _view(panel: ComputedLandscape) -> xr.Dataset:
    """What of a landscape is drawn: not all of one that is on disk, and nothing that is all nan."""
    shown = panel.landscape
    if panel.on_disk:
        from sweep.landscapes import out_of_core

        shown = out_of_core.thinned(shown)
    return shown.drop_vars([name for name in shown.data_vars if shown[name].isnull().all()])
