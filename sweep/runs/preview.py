"""What a figure of a run shows: some of its landscapes, thinned out, each with its optima.

Of several laws at one size, the laws; else the first law at its sizes, by the first seed; or the
files of data. Of networks, the curves of some problems and hyperparameters, over all seeds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sweep.base.ranges import size_title
from sweep.data.sample import Sample, load
from sweep.landscapes.out_of_core import thinned
from sweep.landscapes.stack import evenly_spaced, sample
from sweep.optima.optimum import optimum
from sweep.optima.records import Optimum
from sweep.populations import Population
from sweep.runs.directory import Directory
from sweep.runs.landscapes import columns
from sweep.runs.spec.spec import Spec
from sweep.training.statistics import quantile_bands

if TYPE_CHECKING:
    import xarray as xr

SHOWN = 6
"""Landscapes beside each other that a page has room for."""


class LandscapePreview(NamedTuple):
    """One landscape of a run.

    Attributes:
        title: tells it from the others.
        landscape: its metrics, at most `sweep.landscapes.out_of_core.VIEW` points along a and
        along b.
        optimum: its optima.
    """

    title: str
    landscape: xr.Dataset
    optimum: Optimum


def panels(out: str | os.PathLike[str]) -> list[LandscapePreview]:
    """The landscapes that a figure of a run shows, at most SHOWN.

    Args:
        out: the directory of a run that is finished.

    Raises:
        InputError: there is no run, or a file of data cannot be read any more.
    """
    import xarray as xr

    directory = Directory(Path(out))
    spec = directory.read().to_spec()
    with xr.open_zarr(directory.store, chunks=None) as results:
        return [
            LandscapePreview(title, thinned(results[list(spec.metrics)].isel(place)), optimum(data))
            for title, place, data in _shown(spec)
        ]


ABREAST = 3
"""Networks beside each other that a page has room for."""


class Curves(NamedTuple):
    """Networks of one problem and of the same hyperparameters, over all seeds.

    Attributes:
        title: tells them from the others.
        bands: quantiles of `sweep.training.results.CURVES`, dims (level, epoch).
    """

    title: str
    bands: xr.Dataset


def curves(out: str | os.PathLike[str]) -> list[Curves]:
    """The networks that a figure of a run shows, at most ABREAST.

    Args:
        out: the directory of a run of networks that is finished.

    Raises:
        InputError: there is no run.
    """
    import xarray as xr

    with xr.open_zarr(Directory(Path(out)).store, chunks=None) as results:
        dimensions = [str(name) for name in results.loss.dims if name not in ("seed", "epoch")]
        every = list(np.ndindex(*(results.sizes[name] for name in dimensions)))
        places = [
            dict(zip(dimensions, place, strict=True)) for place in evenly_spaced(every, ABREAST)
        ]
        return [
            Curves(_title(results.isel(place), dimensions), quantile_bands(results.isel(place)))
            for place in places
        ]


def _title(of: xr.Dataset, dimensions: list[str]) -> str:
    """The problem, and below it what hyperparameters differ."""
    first, *others = dimensions
    settings = ", ".join(f"{name.replace('_', ' ')} {of[name].item()}" for name in others)
    return "\n".join(filter(None, (_short(of[first].item()), settings)))


def _shown(spec: Spec) -> list[tuple[str, dict[str, int], Sample | Population]]:
    """Title, place in the store and data of each landscape that is shown."""
    if spec.of_data:
        return [
            (_short(name), {"data": k}, load(file, **columns(spec)))
            for k, (name, file) in evenly_spaced(
                [*enumerate(zip(spec.data, spec.files, strict=True))], SHOWN
            )
        ]
    laws, sizes = (
        evenly_spaced([*enumerate(spec.laws)], SHOWN),
        evenly_spaced([*enumerate(spec.n)], SHOWN),
    )
    places = [(i, law, j, n) for i, law in laws for j, n in sizes]
    if len(sizes) > 1:
        places = [place for place in places if place[0] == 0]
    return [
        (
            size_title(n) if len(sizes) > 1 else _short(spec.population[i]),
            {"population": i, "n": j, "seed": 0},
            sample(law, n, spec.seed[0]),
        )
        for i, law, j, n in places
    ]


def _short(name: str) -> str:
    """A name that fits above a panel."""
    last = Path(name).name
    return last if len(last) <= 24 else last[:23] + "…"
