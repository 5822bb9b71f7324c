"""The numbers that the script draws, as JSON.

A page is small however many samples there are: beyond `MOST` they are summed up by as many nodes,
and how far these are from all the data is measured on the landscape and said on the page.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sweep.data.predictions import Predictions
from sweep.diagnosis import curves
from sweep.diagnosis.bootstrap.nodes import LogitNodes, compress
from sweep.diagnosis.report import Diagnosis, TemperatureOptimum
from sweep.metrics.logistic import softplus

if TYPE_CHECKING:
    import xarray as xr

MOST = 4000
"""Nodes that travel with a page; no more samples than that are kept as they are."""

CELLS = 101
"""Points on each axis of the landscape."""

CHECKED = 10
"""Every so many-th of these is where the nodes are compared with all the data."""

BARS = 60
"""Bars of the histogram of the logits."""

CENTRAL = (0.05, 0.95)
"""Quantiles of the logits that the axis shows for sure, and as much again to either side."""

APART = 12
"""Most classes whose losses are drawn apart from each other."""

DIGITS = 7
"""Significant digits of what is only drawn."""


class Drawn(NamedTuple):
    """What travels with the page.

    Attributes:
        values: what JSON can hold.
        exact: how exact the numbers at a chosen (a, b) are, a sentence.
    """

    values: dict[str, Any]
    exact: str


def drawn(diagnosis: Diagnosis) -> Drawn:
    """The numbers behind the figures, and how exact those are that the script computes."""
    curve = curves.lorenz(diagnosis)
    values: dict[str, Any] = {
        "n": diagnosis.n,
        "classes": list(diagnosis.classes),
        "cross_entropy": diagnosis.cross_entropy.value,
        "lorenz": _rounded({"samples": curve.samples, "loss": curve.loss}),
    }
    if isinstance(diagnosis.optimum, TemperatureOptimum):
        return Drawn(values | _of_several(diagnosis, diagnosis.optimum), "")
    plane = curves.plane(diagnosis, CELLS)
    nodes = compress(diagnosis.predictions, MOST)
    values |= {
        "nodes": _columns(nodes),
        "counted": nodes.rows and not diagnosis.weighted,
        "rows": nodes.rows,
        "plane": _landscape(plane),
        "density": _density(diagnosis.predictions),
        **_optima(diagnosis),
    }
    return Drawn(values, _exactness(diagnosis, plane, nodes))


def script_text(values: dict[str, Any]) -> str:
    """JSON that no HTML can be mistaken for the end of; what is not finite is null."""
    text = json.dumps(_finite(values), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _rounded(arrays: dict[str, np.ndarray]) -> dict[str, list]:
    """Arrays as lists of numbers with DIGITS digits."""
    return {key: _short(array) for key, array in arrays.items()}


def _short(array: np.ndarray) -> list:
    if array.ndim > 1:
        return [_short(row) for row in array]
    return [float(f"{value:.{DIGITS}g}") for value in array.tolist()]


# --- two classes --------------------------------------------------------------------------------


def _columns(nodes: LogitNodes) -> dict[str, list]:
    """The nodes by ascending z, to the last digit."""
    columns = {"z": nodes.z, "y": nodes.y.astype(int), "count": nodes.count, "weight": nodes.weight}
    return {name: column.tolist() for name, column in columns.items()}


def _landscape(plane: xr.Dataset) -> dict[str, list]:
    """Both metrics, a row for each b, as they are drawn."""
    ordered = plane.transpose("b", "a")
    names = ("a", "b", "cross_entropy", "accuracy")
    return _rounded({name: ordered[name].values for name in names})


def _optima(diagnosis: Diagnosis) -> dict[str, Any]:
    best = diagnosis.optimum
    assert not isinstance(best, TemperatureOptimum)
    ce, accuracy = best.cross_entropy, best.accuracy
    fit = diagnosis.fit
    return {
        "optimum": {"a": ce.a, "b": ce.b} if math.isfinite(ce.a) else None,
        "least": ce.value,
        "best_accuracy": accuracy.value,
        "rays": [list(ray) for ray in accuracy.rays if all(map(math.isfinite, ray))],
        "fit": None if fit is None else {"a": fit.a, "b": fit.b},
    }


def _density(predictions: Predictions) -> dict[str, Any]:
    """Histogram of the logits of each class, of unit area, and how many the axis leaves out."""
    z = predictions.logits
    ends = _span(z)
    edges = np.linspace(*ends, BARS + 1)
    counts = []
    for label in (0, 1):
        own = predictions.y == label
        weight = predictions.mass[own]
        bars, _ = np.histogram(z[own], edges, weights=weight)
        counts.append(_short(bars / (max(np.sum(weight), 1e-300) * np.diff(edges))))
    beyond = int(np.sum((z < ends[0]) | (z > ends[1])))
    return {"edges": _short(edges), "heights": counts, "beyond": beyond}


def _span(z: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Where the axis of the logits ends: far outliers would leave no room for the others."""
    ends = float(np.min(z)), float(np.max(z))
    low, high = np.quantile(z, CENTRAL).tolist()
    if low < high:
        return max(ends[0], 2 * low - high), min(ends[1], 2 * high - low)
    return ends if ends[0] < ends[1] else (low - 1.0, high + 1.0)


def _exactness(diagnosis: Diagnosis, plane: xr.Dataset, nodes: LogitNodes) -> str:
    if nodes.rows:
        return "The numbers at (a, b) are of all the samples."
    some = plane.isel(a=slice(None, None, CHECKED), b=slice(None, None, CHECKED))
    loss, accuracy = _deviation(some.transpose("a", "b"), nodes)
    return (
        f"The landscapes are of all {diagnosis.n:,} samples. The numbers at (a, b), and the "
        f"losses and the reliability below, are of {len(nodes):,} nodes that sum them up: on the "
        f"landscape, cross-entropy is off by {loss:.1e} of its value at most, and accuracy by "
        f"{accuracy:.1e}."
    )


def _deviation(plane: xr.Dataset, nodes: LogitNodes) -> tuple[float, float]:
    """Largest relative error of cross-entropy and error of accuracy of the nodes, on a grid."""
    a, b = plane.a.values[:, None, None], plane.b.values[:, None]
    mass = nodes.count * nodes.weight / np.sum(nodes.count * nodes.weight)
    logit = a * nodes.z + b
    loss = softplus(np.where(nodes.y, -logit, logit)) @ mass
    right = ((logit > 0) == nodes.y) @ mass
    value = plane.cross_entropy.values
    off = np.abs(loss - value) / np.maximum(value, np.finfo(np.float64).tiny)
    return float(np.max(off)), float(np.max(np.abs(right - plane.accuracy.values)))


# --- several classes ----------------------------------------------------------------------------


def _of_several(diagnosis: Diagnosis, best: TemperatureOptimum) -> dict[str, Any]:
    line = curves.along_slope(diagnosis)
    bars, names = curves.loss_histogram(diagnosis), list(diagnosis.classes)
    counts = bars.counts
    if len(names) > APART:
        counts, names = np.sum(counts, axis=0, keepdims=True), ["all classes"]
    else:
        names = [f"class {name}" for name in names]
    columns = {name: line[name].values for name in ("a", "cross_entropy", "accuracy")}
    places = {"as_it_is": 1.0, "optimum": best.a}
    return {
        "slope": _rounded(columns),
        "reliability": {
            name: _bins(curves.reliability(diagnosis, a))
            for name, a in places.items()
            if math.isfinite(a)
        },
        "histogram": {"edges": _short(bars.edges), "counts": counts.tolist(), "names": names},
        "optimum": {"a": best.a} if math.isfinite(best.a) else None,
    }


def _bins(found: curves.Reliability) -> list[dict[str, float]]:
    """What is drawn of each bin."""
    columns = {field.name: _short(getattr(found, field.name)) for field in fields(found)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
