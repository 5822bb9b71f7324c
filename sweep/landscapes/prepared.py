"""Prepared: metrics over a grid, decided once for the whole of it, to be had tile by tile.

Method, plan, deposit and bounds are those of the whole grid, so that the cells of a tile are the
same to the bit whatever other tiles were asked for before, in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.base.grid import Grid
from sweep.base.timing import Clock
from sweep.landscapes.counting import bracketed_names
from sweep.landscapes.model_kernel import Metric
from sweep.landscapes.smooth import GridPart
from sweep.metrics.metrics import Counting

LINE = {
    "a": {"units": "1 / unit of x", "long_name": "slope a"},
    "b": {"units": "1", "long_name": "intercept b"},
}
"""Attributes of the axes of the logistic model."""

PLANE = {
    "a": {"units": "1", "long_name": "a, along directions[0]"},
    "b": {"units": "1", "long_name": "b, along directions[1]"},
}
"""Attributes of the axes of a slice through a model of the user's own."""


@runtime_checkable
class Source(Protocol):
    """What some of the metrics come from."""

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        """The metrics in rows and columns, from start to stop; `progress` shows bars."""
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """Metrics over a grid, to be had tile by tile.

    Attributes:
        grid: the cells.
        metrics: in the order in which they are had.
        counted: whether accuracy comes with `correct`, the int64 count of correct predictions.
        attributes: what they are computed from, on what device, how, and how wrong they can be.
        error_bounds: on |error| / max(1, value), by name; nan where none is known.
        axes: attributes of a and b.
        clock: counts the seconds.
        sources: of the metrics.
        bracketed: whether counting metrics come with what they lie between, as
            `sweep.landscapes.counting.bracketed` has them.
    """

    grid: Grid
    metrics: tuple[Metric, ...]
    counted: bool
    attributes: dict[str, Any]
    error_bounds: dict[str, float]
    axes: dict[str, dict[str, str]]
    clock: Clock
    sources: tuple[Source, ...]
    bracketed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all variables: of the metrics, with their brackets, and `correct` last."""
        found = [name for m in self.metrics for name in self._names(m)]
        return (*found, "correct") if self.counted else tuple(found)

    def _names(self, metric: Metric) -> tuple[str, ...]:
        if self.bracketed and isinstance(metric, Counting):
            return bracketed_names([metric.name])
        return (metric.name,)

    @property
    def dtypes(self) -> dict[str, np.dtype]:
        """What kind of numbers each variable has, by name."""
        return {name: np.dtype("i8" if name == "correct" else "f8") for name in self.names}

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Attributes of each variable, by name: units, long name, source, kind, error bound."""
        found = {
            name: {
                "units": m.units,
                "long_name": m.long_name + name.removeprefix(m.name).replace("_", ", "),
                "source": m.source,
                "kind": "counting" if isinstance(m, Counting) else "smooth",
                "error_bound": self.error_bounds[m.name],
            }
            for m in self.metrics
            for name in self._names(m)
        }
        if self.counted:
            found["correct"] = {"units": "count", "long_name": "correct predictions"}
        return found

    @property
    def coordinates(self) -> dict[str, tuple[str, Float[np.ndarray, " k"], dict[str, str]]]:
        """Slopes and intercepts with their attributes, as coordinates of a dataset."""
        return {
            "a": ("a", self.grid.a, self.axes["a"]),
            "b": ("b", self.grid.b, self.axes["b"]),
        }

    def history(self, observed_error: float) -> dict[str, Any]:
        """The attributes with what differs from run to run: seconds, and what the checks saw.

        Args:
            observed_error: the largest of all tiles.
        """
        found = self.attributes | self.clock.seconds
        if "observed_error" in found:
            found["observed_error"] += observed_error
        return found

    def tile(self, rows: slice, columns: slice) -> dict[str, Shaped[np.ndarray, "k m"]]:
        """Every variable in some rows and columns of the grid.

        Args:
            rows: which slopes, without gaps.
            columns: which intercepts, likewise.

        Returns:
            An array of shape (rows, columns) for each name, in the order of `names`.

        Raises:
            InputError: the slices leave gaps or hold nothing.
        """
        return self.part(rows, columns).values

    def part(self, rows: slice, columns: slice, progress: bool | None = False) -> GridPart:
        """A tile with the error that its check saw; `progress` shows bars."""
        rows, columns = _whole(rows, len(self.grid.a)), _whole(columns, len(self.grid.b))
        parts = [source.part(rows, columns, progress) for source in self.sources]
        values = {name: array for part in parts for name, array in part.values.items()}
        seen = max(part.observed_error for part in parts)
        return GridPart({name: values[name] for name in self.names}, seen)


def _whole(part: slice, length: int) -> slice:
    """A slice of an axis from start to stop."""
    found = range(length)[part]
    if found.step != 1 or not found:
        raise InputError(f"{part} is no stretch of an axis of {length} points")
    return slice(found.start, found.stop)
