"""What a kind of work is: the store that it fills, the tasks that fill it, and how one is done.

There are landscapes (`sweep.runs.landscapes`) and networks (`sweep.runs.networks`); whatever else
is done with a run, such as writing, checking and going on with it, knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from sweep.runs.spec.spec import Spec

Place = tuple[int, ...]
"""Indices of a chunk, or of an element of a table, along each dimension."""

Values = Mapping[str, Shaped[np.ndarray, "..."]]
"""What a task computed, by variable; at the end of an axis there may be less than a chunk."""

Numbers = Mapping[str, float]
"""What it found besides, by table."""


class Coordinate(NamedTuple):
    """Values along a dimension.

    Attributes:
        values: texts as objects, or numbers.
        attributes: units and long name.
    """

    values: Shaped[np.ndarray, " n"]
    attributes: Mapping[str, Any]


class StoreVariable(NamedTuple):
    """An array of the store, of which tasks write chunks.

    Attributes:
        dimensions: names.
        shape: of all of it.
        chunk: that of a chunk.
        attributes: units, long name and others.
        dtype: "float64" or "float32".
    """

    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    attributes: Mapping[str, Any]
    dtype: str = "float64"


@runtime_checkable
class Work(Protocol):
    """A kind of work, made for a spec.

    What `count`, `copies` and `named` say follows from the spec alone, and loads nothing heavy.
    """

    @property
    def spec(self) -> Spec:
        """What is computed."""
        ...

    def coordinates(self) -> Mapping[str, Coordinate]:
        """By dimension, in the order of the store's."""
        ...

    def tables(self) -> Mapping[str, StoreVariable]:
        """Arrays of one chunk, that the numbers of all tasks make up."""
        ...

    def variables(self) -> Mapping[str, StoreVariable]:
        """Arrays whose chunks tasks write."""
        ...

    def attributes(self) -> Mapping[str, Any]:
        """Of the store, beside what every run has."""
        ...

    def count(self) -> int:
        """How many tasks there are; each is named by its number, from 0."""
        ...

    def copies(self, index: int) -> int:
        """Places that a task writes each of its chunks to."""
        ...

    def named(self, index: int) -> dict[str, str | int]:
        """What a task is of, for people: {"population": "W1", "n": "1e4", ...}."""
        ...

    def chunks(self, index: int) -> Mapping[str, tuple[Place, ...]]:
        """Chunks that a task writes, by variable; those of one variable have the same bytes."""
        ...

    def cells(self, index: int) -> tuple[Place, ...]:
        """Elements of the tables that get the numbers of a task."""
        ...

    def examined(self) -> tuple[str, ...]:
        """Fingerprints of the files of data, all of which are read: what is bad is found at once.

        Raises:
            InputError: one of them cannot be used, or what is asked for cannot be done with it.
        """
        ...

    def computed(self, index: int, data: tuple[str, ...]) -> tuple[Values, Numbers]:
        """Does a task.

        Args:
            index: its number.
            data: fingerprints of the files of data.

        Raises:
            InputError: it cannot be done.
        """
        ...
