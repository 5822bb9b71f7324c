"""Streams: rows that come batch by batch become a sketch, in memory that does not depend on n.

Of each class some millions of points are put in order at a time; then moments are sums over
stretches, and one binary search for each cut counts. Sums over points of mass 1 are exact. Those of
masses are summed part by part, so that a sketch depends on its parts alone: not on which of them
were read together, nor on how many processes read them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce

import numpy as np
import xxhash
from jaxtyping import Float, Shaped

from sweep.base.errors import InputError
from sweep.base.progress import Step, ignore
from sweep.data.sample import Sample
from sweep.data.shards import ShardRows, Shards
from sweep.measure.compression.lattice import FINE, MOMENTS, exact_sums_in_order, sums_in_order
from sweep.measure.points import pick, sort
from sweep.measure.sketch.exact_sums import ExactSums
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch, SketchPart, summable

ROOM = 2**23
"""Points of a class that are put in order and counted at once: 64 MiB."""

HEAVY = 2**20
"""The same of points with masses, which take more memory."""

AT_ONCE = 2**20
"""Most rows that are taken at once; larger batches are cut."""

AHEAD = 4
"""Batches that are read before they are taken, at most."""


def sketched(shards: Shards, terms: Schema, step: Step = ignore) -> Sketch:
    """The sketch of some files, each of which is a part of the data.

    Args:
        shards: the files.
        terms: what the sketch is for.
        step: is told how many rows have been read.

    Raises:
        InputError: a file cannot be read, or a row is not valid; or x is outside the range.
    """
    maker = Sketcher(terms)
    for number in range(len(shards.paths)):
        maker.add_file(shards, number, step)
    return maker.sketch()


def rows_of(samples: Iterable[Sample]) -> Iterator[ShardRows]:
    """Samples as rows of one part of the data."""
    first = 0
    for sample in samples:
        yield ShardRows(sample.x, sample.y, sample.weight, first)
        first += len(sample)


class Sketcher:
    """Makes one sketch of many parts of the data.

    The classes and the fingerprints have a thread each, in which batches come one after the other;
    none waits for the others but where they are AHEAD.
    """

    def __init__(self, terms: Schema) -> None:
        self._terms = terms
        self._classes = (_Class(terms), _Class(terms))
        self._parts: dict[str, SketchPart] = {}
        self._lanes = tuple(ThreadPoolExecutor(1) for _ in range(3))
        self._taken: deque[list[Future[None]]] = deque()

    def add(
        self, name: str, batches: Iterable[ShardRows], step: Step = ignore, where: str = "x"
    ) -> None:
        """Adds a part of the data.

        Args:
            name: what it is called.
            batches: its rows.
            step: is told how many rows have been read.
            where: the column of x, in the sentence about a row that is refused.

        Raises:
            InputError: x is outside the range; or the part has been added before.
        """
        state, n = [xxhash.xxh3_128() for _ in range(3)], 0
        zero, one, digest = self._lanes
        for rows in _cut(batches):  # the next ones are read while these are taken
            self._require_within(rows, where)
            self._wait(AHEAD)
            self._taken.append(
                [
                    zero.submit(self._classes[0].add, rows, 0),
                    one.submit(self._classes[1].add, rows, 1),
                    digest.submit(_hash, state, rows),
                ]
            )
            n += len(rows.x)
            step(len(rows.x))
        ends = [
            lane.submit(part.end_part)
            for lane, part in zip((zero, one), self._classes, strict=True)
        ]
        self._taken.append(ends)
        mark = SketchPart(digest.submit(_fingerprint, state).result(), n, name)
        twin = self._parts.setdefault(mark.fingerprint, mark)
        if twin is not mark and n > 0:
            raise InputError(
                f"{name} has the same rows as {twin.name}; give each part of the data once"
            )

    def add_file(self, shards: Shards, number: int, step: Step = ignore) -> None:
        """Adds one of some files, a part of the data; see `add`."""
        path = shards.paths[number]
        self.add(str(path), shards.batches(number), step, f"{path}: {shards.columns[0]!r}")

    def sketch(self) -> Sketch:
        """The sketch of all that was added.

        Raises:
            InputError: the weights add up to more than can be summed.
        """
        lanes = zip(self._lanes, self._classes, strict=False)
        self._taken.append([lane.submit(one.count) for lane, one in lanes])
        self._wait(0)
        zero, one = self._classes
        made = Sketch(
            terms=self._terms,
            inside=_stacked(zero.inside, one.inside),
            moments=_stacked(zero.moments, one.moments),
            extremes=np.array([zero.extremes, one.extremes]),
            at_extremes=_stacked(zero.at_extremes, one.at_extremes),
            counted=zero.counted and one.counted,
            pieces=zero.pieces + one.pieces,
            parts=tuple(sorted(part for part in self._parts.values() if part.n > 0)),
        )
        made.require_summable()
        return made

    def _wait(self, most: int) -> None:
        """Waits until at most so many batches are not taken yet."""
        while len(self._taken) > most:
            for task in self._taken.popleft():
                with summable():
                    task.result()

    def _require_within(self, rows: ShardRows, where: str) -> None:
        low, high = self._terms.ends
        x = rows.x
        if len(x) and not (low <= np.min(x) and np.max(x) <= high):
            row = int(np.argmax((x < low) | (x > high)))
            raise InputError(
                f"{where} in row {rows.first + row + 1} is {float(x[row])!r}, outside the range "
                f"from {low:g} to {high:g} that the sketch is made for; give a wider range"
            )


class _Class:
    """One class of a sketch in the making.

    Points of mass 1 are summed and counted together, whatever part they are of: their sums are
    exact. They stand in one room for all: fresh memory for each batch would take longer than that.
    """

    def __init__(self, terms: Schema) -> None:
        self._terms = terms
        self._room, self._held = np.empty(0), 0
        self._heavy: list[tuple[np.ndarray, np.ndarray]] = []
        self._sums = np.zeros((terms.lattice.bins, MOMENTS))
        self._between = np.zeros(len(terms.edges) + 1)
        self.inside = ExactSums.counts(np.zeros(len(terms.edges) + 1, np.int64))
        self.moments = ExactSums.counts(np.zeros(self._sums.shape, np.int64))
        self.extremes = (math.inf, -math.inf)
        self.at_extremes = ExactSums.counts(np.zeros(2, np.int64))
        self.counted = True
        self.pieces = 0

    def add(self, rows: ShardRows, label: int) -> None:
        """Takes the points of the class from some rows."""
        if rows.weight is None and not _soft(rows.y):
            self._hold(rows, label)
            return
        mass = rows.y if label else 1.0 - rows.y
        mass = np.asarray(mass if rows.weight is None else rows.weight * mass, np.float64)
        self.counted = False
        kept = mass > 0
        self._heavy.append((rows.x[kept], mass[kept]))
        if sum(len(x) for x, _ in self._heavy) >= HEAVY:
            self._weigh()

    def end_part(self) -> None:
        """Ends a part of the data: from here on floating-point sums begin anew."""
        self._weigh()
        if not self.counted:
            self.moments += ExactSums.of(self._sums)
            self.inside += ExactSums.of(self._between)
            self._sums[:] = 0
            self._between[:] = 0

    def count(self) -> None:
        """Sums and counts the points of mass 1 that are held."""
        if self._held == 0:
            return
        x, self._held = self._room[: self._held], 0
        x.sort()
        self.moments += ExactSums.in_units(exact_sums_in_order(x, self._terms.lattice), FINE)
        below = np.searchsorted(x, self._terms.edges)
        self.inside += ExactSums.counts(np.diff(below, prepend=0, append=len(x)))
        first, last = np.searchsorted(x, x[0], side="right"), np.searchsorted(x, x[-1])
        self._extend(x, ExactSums.counts(np.array([first, len(x) - last])))

    def _hold(self, rows: ShardRows, label: int) -> None:
        """Takes points of mass 1, perhaps as many as there are rows."""
        if self._held + len(rows.x) > ROOM:
            self.count()
        if len(self._room) == 0:
            self._room = np.empty(ROOM)
        self._held += pick(rows.x, rows.y, label, self._room[self._held :])

    def _weigh(self) -> None:
        """Sums and counts the points with masses."""
        if not any(len(x) for x, _ in self._heavy):
            return
        x, mass = sort(*(np.concatenate(column) for column in zip(*self._heavy, strict=True)))
        assert mass is not None
        self._heavy = []
        sums, pieces = sums_in_order(x, mass, self._terms.lattice)
        self._sums += sums
        self.pieces += pieces + 1
        ends = np.concatenate([[0], np.searchsorted(x, self._terms.edges), [len(x)]])
        held = np.flatnonzero(np.diff(ends))
        self._between[held] += np.add.reduceat(mass, ends[held])
        first, last = np.searchsorted(x, x[0], side="right"), np.searchsorted(x, x[-1])
        self._extend(x, ExactSums.of(np.array([np.sum(mass[:first]), np.sum(mass[last:])])))

    def _extend(self, x: Float[np.ndarray, " m"], at: ExactSums) -> None:
        """Takes the ends of ordered points, and the mass right there."""
        ends, before = (float(x[0]), float(x[-1])), self.extremes
        self.extremes = min(before[0], ends[0]), max(before[1], ends[1])
        self.at_extremes = self.at_extremes.where(np.equal(before, self.extremes)) + at.where(
            np.equal(ends, self.extremes)
        )


def _soft(y: Shaped[np.ndarray, " m"]) -> bool:
    """Whether a label is neither 0 nor 1."""
    return y.dtype.kind == "f" and not np.all((y == 0) | (y == 1))


def _cut(batches: Iterable[ShardRows]) -> Iterator[ShardRows]:
    """Batches in pieces of at most AT_ONCE rows."""
    for rows in batches:
        for start in range(0, len(rows.x), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            weight = None if rows.weight is None else rows.weight[part]
            yield ShardRows(rows.x[part], rows.y[part], weight, rows.first + start)


def _hash(state: list[xxhash.xxh3_128], rows: ShardRows) -> None:
    """Takes rows into the digests of their columns, as float64 whatever the file has."""
    for column, values in zip(state, rows[:3], strict=True):
        if values is not None:
            column.update(np.ascontiguousarray(values, "<f8").data)


def _fingerprint(state: list[xxhash.xxh3_128]) -> str:
    return xxhash.xxh3_128_hexdigest("".join(column.hexdigest() for column in state).encode())


def _stacked(zero: ExactSums, one: ExactSums) -> ExactSums:
    return ExactSums(np.stack([zero.whole, one.whole]), np.stack([zero.part, one.part]))


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """The sketch of all data together, in whatever order.

    Raises:
        InputError: they cannot be merged, see `Sketch.merge`.
    """
    return reduce(Sketch.merge, sketches)
