"""Sketcher: rows that come batch by batch become a sketch, in memory that does not depend on n.

Some millions of points of a class are sorted at a time. Then moments are sums over contiguous runs,
and one binary search for each cut counts. Sums over points of mass 1 are exact. Sums of other
masses are rounded within each part of the data, so a sketch depends on its parts alone: not on the
order in which they were read, nor on how many processes read them.
"""

from __future__ import annotations

import math
import pickle
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import xxhash
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.executors import Engine
from sweep.base.progress import Step, ignore
from sweep.data.sample import Sample
from sweep.data.shards import ShardRows, Shards
from sweep.measure.compression.deposit import FINE, exact_ordered_moments, ordered_moments
from sweep.measure.compression.lattice import MOMENTS
from sweep.measure.points import pick, sort
from sweep.measure.sketch.exact_sums import ExactSums
from sweep.measure.sketch.schema import Schema
from sweep.measure.sketch.sketch import Sketch, SketchPart, refuse_overflow

MOST_COUNTED = 2**23  # points of mass 1, of a class, that are sorted and counted at once: 64 MiB
MOST_WEIGHTED = 2**20  # the same for points with masses, which take more memory
MOST_ROWS = 2**20  # rows that a thread takes at once; larger batches are cut
AHEAD = 4  # batches that are read before the threads have taken them, at most

MOST_BYTES = 2**28  # size of the files in one item of work, unless a single file is larger
ITEMS = 4  # items of work for each worker: few workers are idle while the last items are done


def sketch_files(
    shards: Shards, schema: Schema, step: Step = ignore, numbers: Sequence[int] | None = None
) -> Sketch:
    """The sketch of some files, by their numbers, or of all; `step` receives numbers of rows."""
    sketcher = Sketcher(schema)
    for number in range(len(shards.paths)) if numbers is None else numbers:
        where = f"{shards.paths[number]}: {shards.columns[0]!r}"
        sketcher.add(str(shards.paths[number]), shards.batches(number), step, where)
    return sketcher.sketch()


def sketch_with(engine: Engine, shards: Shards, schema: Schema, step: Step = ignore) -> Sketch:
    """The sketch of all files by the workers of an engine; `step` receives numbers of files.

    Sketches add up to the last bit, so it does not matter which worker reads which files.
    """
    groups = [*groups_of(shards.paths, ITEMS * engine.slots)]

    def done(index: int) -> None:
        step(len(groups[index]))

    function = partial(_sketch_group, shards, pickle.dumps(schema))
    return engine.reduce(function, groups, Sketch.merge, done)


_unpickled = lru_cache(maxsize=1)(pickle.loads)  # so that a worker computes the edges once


def _sketch_group(shards: Shards, pickled_schema: bytes, numbers: Sequence[int]) -> Sketch:
    return sketch_files(shards, _unpickled(pickled_schema), numbers=numbers)


def groups_of(paths: Sequence[Path], items: int) -> Iterator[Sequence[int]]:
    """Runs of file numbers with about equal numbers of bytes, at least `items` runs if possible.

    One sketch of several files costs less than a sketch of each file.
    """
    sizes = []
    for path in paths:
        try:
            sizes.append(path.stat().st_size)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    target = max(1.0, min(MOST_BYTES, sum(sizes) / items))
    # A file belongs to the item in which its middle byte lies.
    item = [
        int((end - size / 2) / target) for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]
    starts = [k for k in range(len(paths)) if k == 0 or item[k] != item[k - 1]]
    for start, stop in zip(starts, [*starts[1:], len(paths)], strict=True):
        yield range(start, stop)


def rows_of(samples: Iterable[Sample]) -> Iterator[ShardRows]:
    """Samples as the rows of one part of the data."""
    first = 0
    for sample in samples:
        yield ShardRows(sample.x, sample.y, sample.weight, first)
        first += len(sample)


class Sketcher:
    """Builds one sketch from many parts of the data.

    Each class and the fingerprint have a thread of their own, which takes the batches in order.
    Reading is at most AHEAD batches ahead of the slowest thread.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._classes = (_ClassSums(schema), _ClassSums(schema))
        self._parts: dict[str, SketchPart] = {}
        self._threads = tuple(ThreadPoolExecutor(1) for _ in range(3))
        self._pending: deque[list[Future[None]]] = deque()

    def add(
        self, name: str, batches: Iterable[ShardRows], step: Step = ignore, where: str = "x"
    ) -> None:
        """Adds a part of the data, which is refused if it has been added before.

        `step` receives the number of rows read; `where` names the column of x for messages.
        """
        digests, n = [xxhash.xxh3_128() for _ in range(3)], 0
        class0, class1, digest = self._threads
        for rows in _cut(batches):  # the next batch is read while the threads take this one
            self._require_within(rows, where)
            self._wait(AHEAD)
            self._pending.append(
                [
                    class0.submit(self._classes[0].add, rows, 0),
                    class1.submit(self._classes[1].add, rows, 1),
                    digest.submit(_update, digests, rows),
                ]
            )
            n += len(rows.x)
            step(len(rows.x))
        ends = [
            thread.submit(sums.end_part)
            for thread, sums in zip((class0, class1), self._classes, strict=True)
        ]
        self._pending.append(ends)
        columns = digest.submit(lambda: "".join(d.hexdigest() for d in digests)).result()
        part = SketchPart(xxhash.xxh3_128_hexdigest(columns.encode()), n, name)
        twin = self._parts.setdefault(part.fingerprint, part)
        if twin is not part and n > 0:
            raise InputError(
                f"{name} has the same rows as {twin.name}; give each part of the data once"
            )

    def sketch(self) -> Sketch:
        """The sketch of all parts that were added."""
        classes = zip(self._threads, self._classes, strict=False)
        self._pending.append([thread.submit(sums.count) for thread, sums in classes])
        self._wait(0)
        class0, class1 = self._classes
        sketch = Sketch(
            schema=self._schema,
            inside=_stacked(class0.inside, class1.inside),
            moments=_stacked(class0.moments, class1.moments),
            extremes=np.array([class0.extremes, class1.extremes]),
            at_extremes=_stacked(class0.at_extremes, class1.at_extremes),
            counted=class0.counted and class1.counted,
            pieces=class0.pieces + class1.pieces,
            parts=tuple(sorted(part for part in self._parts.values() if part.n > 0)),
        )
        sketch.require_summable()
        return sketch

    def _wait(self, most: int) -> None:
        """Waits until at most so many batches are pending."""
        while len(self._pending) > most:
            for task in self._pending.popleft():
                with refuse_overflow():
                    task.result()

    def _require_within(self, rows: ShardRows, where: str) -> None:
        """Refuses rows with an x outside the range; names the first."""
        low, high = self._schema.ends
        x = rows.x
        if len(x) and not (low <= np.min(x) and np.max(x) <= high):
            row = int(np.argmax((x < low) | (x > high)))
            raise InputError(
                f"{where} in row {rows.first + row + 1} is {float(x[row])!r}, outside the range "
                f"{low:g} to {high:g} of the sketch; give a wider range"
            )


class _ClassSums:
    """The sums of one class while a sketch is built.

    Points of mass 1 of all parts are summed and counted together, because their sums are exact.
    They share one buffer: fresh memory for each batch would take longer than the sums.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._buffer, self._buffered = np.empty(0), 0
        self._weighted: list[tuple[np.ndarray, np.ndarray]] = []
        self._part_moments = np.zeros((schema.lattice.bins, MOMENTS))
        self._part_inside = np.zeros(len(schema.edges) + 1)
        self.inside = ExactSums.counts(np.zeros(len(schema.edges) + 1, np.int64))
        self.moments = ExactSums.counts(np.zeros(self._part_moments.shape, np.int64))
        self.extremes = (math.inf, -math.inf)
        self.at_extremes = ExactSums.counts(np.zeros(2, np.int64))
        self.counted = True
        self.pieces = 0

    def add(self, rows: ShardRows, label: int) -> None:
        """Takes the points of the class from some rows."""
        y = rows.y
        is_hard = y.dtype.kind != "f" or bool(np.all((y == 0) | (y == 1)))
        if rows.weight is None and is_hard:
            self._add_counted(rows, label)
            return
        mass = y if label else 1.0 - y
        mass = np.asarray(mass if rows.weight is None else rows.weight * mass, np.float64)
        self.counted = False
        kept = mass > 0
        self._weighted.append((rows.x[kept], mass[kept]))
        if sum(len(x) for x, _ in self._weighted) >= MOST_WEIGHTED:
            self._weigh()

    def end_part(self) -> None:
        """Ends a part of the data: its rounded sums become exact ones, and new ones begin."""
        self._weigh()
        if not self.counted:
            self.moments += ExactSums.of(self._part_moments)
            self.inside += ExactSums.of(self._part_inside)
            self._part_moments[:] = 0
            self._part_inside[:] = 0

    def count(self) -> None:
        """Sums and counts the buffered points of mass 1."""
        if self._buffered == 0:
            return
        x, self._buffered = self._buffer[: self._buffered], 0
        x.sort()
        self.moments += ExactSums.in_units(exact_ordered_moments(x, self._schema.lattice), FINE)
        below = np.searchsorted(x, self._schema.edges)
        self.inside += ExactSums.counts(np.diff(below, prepend=0, append=len(x)))
        first, last = np.searchsorted(x, x[0], side="right"), np.searchsorted(x, x[-1])
        self._extend(x, ExactSums.counts(np.array([first, len(x) - last])))

    def _add_counted(self, rows: ShardRows, label: int) -> None:
        """Buffers points of mass 1, at most as many as there are rows."""
        if self._buffered + len(rows.x) > MOST_COUNTED:
            self.count()
        if len(self._buffer) == 0:
            self._buffer = np.empty(MOST_COUNTED)
        self._buffered += len(pick(rows.x, rows.y, label, self._buffer[self._buffered :]))

    def _weigh(self) -> None:
        """Sums and counts the pending points with masses."""
        if not any(len(x) for x, _ in self._weighted):
            return
        x, mass = sort(*(np.concatenate(column) for column in zip(*self._weighted, strict=True)))
        assert mass is not None
        self._weighted = []
        moments, pieces = ordered_moments(x, mass, self._schema.lattice)
        self._part_moments += moments
        self.pieces += pieces + 1
        ends = np.concatenate([[0], np.searchsorted(x, self._schema.edges), [len(x)]])
        held = np.flatnonzero(np.diff(ends))
        self._part_inside[held] += np.add.reduceat(mass, ends[held])
        first, last = np.searchsorted(x, x[0], side="right"), np.searchsorted(x, x[-1])
        self._extend(x, ExactSums.of(np.array([np.sum(mass[:first]), np.sum(mass[last:])])))

    def _extend(self, x: Float[np.ndarray, " m"], mass_at_ends: ExactSums) -> None:
        """Takes the ends of sorted points, and the mass exactly there."""
        ends, before = (float(x[0]), float(x[-1])), self.extremes
        self.extremes = min(before[0], ends[0]), max(before[1], ends[1])
        self.at_extremes = self.at_extremes.where(
            np.equal(before, self.extremes)
        ) + mass_at_ends.where(np.equal(ends, self.extremes))


def _cut(batches: Iterable[ShardRows]) -> Iterator[ShardRows]:
    """Batches of at most MOST_ROWS rows."""
    for rows in batches:
        for start in range(0, len(rows.x), MOST_ROWS):
            chosen = slice(start, start + MOST_ROWS)
            weight = None if rows.weight is None else rows.weight[chosen]
            yield ShardRows(rows.x[chosen], rows.y[chosen], weight, rows.first + start)


def _update(digests: list[xxhash.xxh3_128], rows: ShardRows) -> None:
    """Adds rows to the digests of their columns, as float64 whatever type the file has."""
    for digest, values in zip(digests, rows[:3], strict=True):
        if values is not None:
            digest.update(np.ascontiguousarray(values, "<f8").data)


def _stacked(class0: ExactSums, class1: ExactSums) -> ExactSums:
    return ExactSums(
        np.stack([class0.integer, class1.integer]), np.stack([class0.fraction, class1.fraction])
    )
