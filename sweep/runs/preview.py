"""What a figure of a run shows: some of its landscapes, each with its optima, or some networks.

A run with one sample size shows its laws, any other run of laws the sizes of its first law, both by
the first seed; a run of files shows the files. A run of networks shows the training curves of some
problems and hyperparameters, over all seeds.
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
from sweep.runs.landscapes import column_names
from sweep.runs.spec.spec import Spec
from sweep.training.results import quantile_bands

if TYPE_CHECKING:  # 0.3 s, which a run without a figure does without
    import xarray as xr

MOST_LANDSCAPES = 6  # side by side on a page
MOST_NETWORKS = 3  # side by side on a page


class LandscapePreview(NamedTuple):
    """One landscape of a run."""

    title: str  # tells it from the others
    landscape: xr.Dataset  # its metrics, at some points along a and along b
    optimum: Optimum


class Curves(NamedTuple):
    """Networks of one problem and of the same hyperparameters, over all seeds."""

    title: str  # tells them from the others
    bands: xr.Dataset  # quantiles of `sweep.training.results.CURVES`, dims (level, epoch)


def panels(out: str | os.PathLike[str]) -> list[LandscapePreview]:
    """The landscapes that a figure of a run shows, at most MOST_LANDSCAPES."""
    import xarray as xr  # 0.3 s, which a run without a figure does without

    directory = Directory(Path(out))
    spec = directory.read().to_spec()
    metrics = list(spec.metrics)
    with xr.open_zarr(directory.store, chunks=None) as results:
        return [
            LandscapePreview(title, thinned(results[metrics].isel(indices)), optimum(data))
            for title, indices, data in _selected(spec)
        ]


def curves(out: str | os.PathLike[str]) -> list[Curves]:
    """The networks that a figure of a run shows, at most MOST_NETWORKS."""
    import xarray as xr  # 0.3 s, which a run without a figure does without

    with xr.open_zarr(Directory(Path(out)).store, chunks=None) as results:
        dimensions = [str(name) for name in results.loss.dims if name not in ("seed", "epoch")]
        indices = list(np.ndindex(*(results.sizes[name] for name in dimensions)))
        networks = [
            results.isel(dict(zip(dimensions, index, strict=True)))
            for index in evenly_spaced(indices, MOST_NETWORKS)
        ]
        return [
            Curves(_title(network, dimensions), quantile_bands(network)) for network in networks
        ]


def _title(network: xr.Dataset, dimensions: list[str]) -> str:
    """The problem, and below it the hyperparameters that differ."""
    first, *others = dimensions
    settings = ", ".join(f"{name.replace('_', ' ')} {network[name].item()}" for name in others)
    return "\n".join(filter(None, (_shortened(network[first].item()), settings)))


def _selected(spec: Spec) -> list[tuple[str, dict[str, int], Sample | Population]]:
    """Title, indices in the store and data of each landscape that is shown."""
    if spec.of_data:
        files = [*enumerate(zip(spec.data, spec.files, strict=True))]
        return [
            (_shortened(name), {"data": k}, load(file, **column_names(spec)))
            for k, (name, file) in evenly_spaced(files, MOST_LANDSCAPES)
        ]
    laws = evenly_spaced([*enumerate(spec.laws)], MOST_LANDSCAPES)
    sizes = evenly_spaced([*enumerate(spec.n)], MOST_LANDSCAPES)
    several_sizes = len(sizes) > 1
    return [
        (
            size_title(n) if several_sizes else _shortened(spec.population[i]),
            {"population": i, "n": j, "seed": 0},
            sample(law, n, spec.seed[0]),
        )
        for i, law in (laws[:1] if several_sizes else laws)
        for j, n in sizes
    ]


def _shortened(name: str) -> str:
    """A name that fits above a panel."""
    last = Path(name).name
    return last if len(last) <= 24 else last[:23] + "…"
