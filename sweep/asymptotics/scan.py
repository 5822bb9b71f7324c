"""The exact accuracy optimum of samples, from one running sum of the labels.

Compared with predicting class 1 everywhere, a cut above the first k points gains one correct
prediction for each of them of class 0 and loses one for each of class 1. That gain is the score of
k. The highest score gives the most correct predictions with class 1 above the cut, the lowest score
those with class 1 below it.

The samples of a batch lie side by side in chunks of equal length, as
`sweep.populations.sampling.SampleLayout` arranges them: a small sample fills one chunk, a large one
many. `scan` and `replicates` are written for one chunk at a time, so that it stays in a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from sweep.optima.records import STATUSES, OptimumStatus
from sweep.populations.sampling import SampleLayout, cumulative

LARGEST = 1.7976931348623157e308  # the largest float64
NEIGHBOURS = 4  # points on either side of -b/a whose rounded logits decide where the cut is
EXACT_IN_FLOAT32 = 2**24  # whole numbers up to here are exact in float32, which is twice as fast


class SampleChunk(NamedTuple):
    """One chunk of T samples."""

    x: Float[Array, "T L"]  # positions, ascending
    y: Bool[Array, "T L"]  # labels
    inside: Bool[Array, "1 L"]  # whether a point is one of the n points of its sample, not padding
    rank: Int[Array, "1 L"]  # rank of each point in its sample, from 0
    # x of the first point of the next chunk; in the last chunk, its own last x
    next_chunk_x: Float[Array, " T"]

    @property
    def next_x(self) -> Float[Array, "T L"]:
        """The x of the following point, for each point."""
        return jnp.concatenate([self.x[:, 1:], self.next_chunk_x[:, None]], -1)


def split(x: Float[Array, "C T L"], y: Bool[Array, "C T L"], layout: SampleLayout) -> SampleChunk:
    """All chunks of a batch, stacked along the first axis of each field."""
    rank = jnp.arange(layout.chunks * layout.length, dtype=jnp.int32)
    rank = rank.reshape(layout.chunks, 1, layout.length)
    next_chunk_x = jnp.concatenate([x[1:, :, 0], x[-1:, :, -1]])
    return SampleChunk(x, y, rank < layout.n, rank, next_chunk_x)


def map_chunks(function: Callable[[Any], Any], stacked: Any) -> Any:
    """Applies a function to each chunk of a stack, and stacks the results."""
    (count, *_) = {len(leaf) for leaf in jax.tree.leaves(stacked)}
    if count > 1:
        return lax.map(function, stacked)
    only_chunk = jax.tree.map(lambda leaf: leaf[0], stacked)
    return jax.tree.map(lambda leaf: leaf[None], function(only_chunk))


def join(values: Shaped[Array, "C T L"]) -> Shaped[Array, "T n"]:
    """The chunks of each sample joined to one row."""
    return jnp.moveaxis(values, 0, 1).reshape(values.shape[1], -1)


def take(values: Shaped[Array, "C T L"], index: Int[Array, " T"]) -> Shaped[Array, " T"]:
    """One value of each sample, by its index in the sample."""
    length = values.shape[-1]
    return values[index // length, jnp.arange(values.shape[1]), index % length]


class CutScores(NamedTuple):
    """The scores of all cuts of T samples."""

    score: Float[Array, "C T L"]  # after the first 1, 2, ... points
    last: Float[Array, " T"]  # score of all points
    ones: Int[Array, " T"]  # points of class 1
    correct: Int[Array, " T"]  # most correct predictions
    # score of the best cuts with class 1 above; nan if no such cut is optimal
    top: Float[Array, " T"]
    # score of the best cuts with class 1 below; nan if no such cut is optimal
    bottom: Float[Array, " T"]


class BestCells(NamedTuple):
    """The optimal cuts of T samples, and the runs of one class at both ends of x."""

    # lower end of the widest optimal cell (low, high] between neighbouring points, the first one
    # among equals; infinite for a constant prediction, used only if no cell is optimal
    low: Float[Array, " T"]
    high: Float[Array, " T"]  # upper end of that cell
    orientation: Int[Array, " T"]  # +1 if class 1 is predicted above the cell, -1 if below
    # number of optimal cells between neighbouring points, plus optimal constants
    cells: Int[Array, " T"]
    leading: Int[Array, " T"]  # length of the run of one class at the lowest x
    trailing: Int[Array, " T"]  # length of the run of one class at the highest x


def scan(chunks: SampleChunk, layout: SampleLayout) -> CutScores:
    """The scores of all cuts, and the best scores."""
    n = layout.n
    kind = jnp.float32 if n < EXACT_IN_FLOAT32 else jnp.float64

    def of_chunk(total: Array, chunk: SampleChunk) -> tuple[Array, tuple[Array, Array, Array]]:
        gain = jnp.where(chunk.inside, jnp.where(chunk.y, -1.0, 1.0), 0.0).astype(kind)
        score = total[:, None] + cumulative(gain)
        between_points = jnp.where(chunk.next_x > chunk.x, score, 0)
        return score[:, -1], (score, jnp.max(between_points, -1), jnp.min(between_points, -1))

    last, (score, tops, bottoms) = lax.scan(of_chunk, jnp.zeros(layout.samples, kind), chunks)
    # Without points below the cut the score is 0; with all points below it is the last one.
    top = jnp.maximum(jnp.max(tops, 0), jnp.maximum(last, 0))
    bottom = jnp.minimum(jnp.min(bottoms, 0), jnp.minimum(last, 0))
    ones = ((n - last) / 2).astype(jnp.int32)
    above, below = ones + top.astype(jnp.int32), n - ones - bottom.astype(jnp.int32)
    correct = jnp.maximum(above, below)
    top = jnp.where(above == correct, top, jnp.nan)
    bottom = jnp.where(below == correct, bottom, jnp.nan)
    return CutScores(score, last, ones, correct, top, bottom)


def best_cells(chunks: SampleChunk, scores: CutScores, layout: SampleLayout) -> BestCells:
    """The optimal cuts."""
    n = layout.n

    def of_chunk(chunk_and_score: tuple[SampleChunk, Array]) -> tuple[Array, ...]:
        chunk, score = chunk_and_score
        optimal = (score == scores.top[:, None]) | (score == scores.bottom[:, None])
        optimal &= chunk.next_x > chunk.x
        width = jnp.where(optimal, chunk.next_x - chunk.x, -1.0)
        widest = jnp.max(width, -1)
        first_widest = jnp.min(jnp.where(width == widest[:, None], chunk.rank, n), -1)
        # A run of one class changes the score by 1 with each of its points.
        size, rest = jnp.abs(score), jnp.abs(scores.last[:, None] - score)
        leading = size == (chunk.rank + 1).astype(score.dtype)
        trailing = rest == (n - 1 - chunk.rank).astype(score.dtype)
        counts = (jnp.sum(flags, -1, dtype=jnp.int32) for flags in (optimal, leading, trailing))
        return widest, first_widest, *counts

    widths, indices, *counts = map_chunks(of_chunk, (chunks, scores.score))
    cells, leading, trailing = (jnp.sum(count, 0, dtype=jnp.int32) for count in counts)
    widest = jnp.max(widths, 0)
    index = jnp.min(jnp.where(widths == widest[None], indices, n), 0)
    low, high, orientation = _cell(chunks, scores, widest, index)
    constants = (scores.correct == value for value in (scores.ones, n - scores.ones))
    return BestCells(
        low=low,
        high=high,
        orientation=orientation,
        cells=cells + sum(constant.astype(jnp.int32) for constant in constants),
        leading=leading,
        trailing=trailing - 1,  # after the last point the rest is 0, which counts as a run
    )


def _cell(
    chunks: SampleChunk, scores: CutScores, widest: Float[Array, " T"], index: Int[Array, " T"]
) -> tuple[Array, Array, Array]:
    """Ends and orientation of the cell after the point at index, or of a constant prediction."""
    x, size = chunks.x, chunks.x.shape[0] * chunks.x.shape[-1]
    inner = jnp.minimum(index, size - 1)
    low, high = take(x, inner), take(x, jnp.minimum(inner + 1, size - 1))
    is_cut, all_ones = widest >= 0, scores.correct == scores.ones
    low = jnp.where(is_cut, low, jnp.where(all_ones, -jnp.inf, x[-1, :, -1]))
    high = jnp.where(is_cut, high, jnp.where(all_ones, x[0, :, 0], jnp.inf))
    upward = ~is_cut | (take(scores.score, inner) == scores.top)
    return low, high, jnp.where(upward, 1, -1)


def status(
    chunks: SampleChunk, scores: CutScores, best: BestCells, layout: SampleLayout
) -> Int[Array, " T"]:
    """Whether cross-entropy has an optimum, from the extremes of the classes (see `optimum`)."""
    n = layout.n
    lowest, highest = chunks.x[0, :, 0], chunks.x[-1, :, -1]
    # Two of the four extremes are ends of x; the other two end the runs of one class.
    other_lowest = take(chunks.x, jnp.minimum(best.leading, n - 1))
    other_highest = take(chunks.x, jnp.maximum(n - 1 - best.trailing, 0))
    end_labels = (take(chunks.y, jnp.full_like(scores.ones, index)) for index in (0, n - 1))
    same_label = jnp.equal(*end_labels)
    # The class of the lowest x may lie below the other class; above it only where all x are ties.
    overlap = jnp.where(same_label, highest, other_highest) - other_lowest
    touching = jnp.where(same_label, other_highest, highest) == lowest
    cases = {
        OptimumStatus.one_class: (scores.ones == 0) | (scores.ones == n),
        OptimumStatus.constant_x: lowest == highest,
        OptimumStatus.separated: overlap < 0,
        OptimumStatus.quasi_separated: (overlap == 0) | touching,
    }
    codes = [jnp.full_like(scores.ones, STATUSES.index(status)) for status in cases]
    finite = jnp.full_like(scores.ones, STATUSES.index(OptimumStatus.finite))
    return jnp.select(list(cases.values()), codes, finite)


# --- the classifier at (a, b) -------------------------------------------------------------------


def correct(
    chunks: SampleChunk,
    scores: CutScores,
    a: Float[Array, " T"],
    b: Float[Array, " T"],
    layout: SampleLayout,
) -> Int[Array, " T"]:
    """Correct predictions at (a, b), by the rounded logits of the points next to the cut."""
    n = layout.n
    x = join(chunks.x)
    first_above = jnp.minimum(jax.vmap(jnp.searchsorted)(x, _cut(a, b)), n).astype(jnp.int32)
    near = first_above[:, None] + jnp.arange(-NEIGHBOURS, NEIGHBOURS, dtype=jnp.int32)[None]
    # The clip separates product and sum, which a compiler would otherwise fuse and round as one.
    product = a[:, None] * jnp.take_along_axis(x, jnp.clip(near, 0, n - 1), -1)
    predicted = jnp.clip(product, -LARGEST, LARGEST) + b[:, None] > 0
    upward = a >= 0
    inside = (near >= 0) & (near < n)
    beneath = jnp.where(inside, predicted != upward[:, None], near < 0)
    below = near[:, 0] + jnp.sum(beneath, -1, dtype=jnp.int32)
    score = take(scores.score, jnp.clip(below - 1, 0, n - 1))
    score = jnp.where(below > 0, score, 0).astype(jnp.int32)
    return jnp.where(upward, scores.ones + score, n - scores.ones - score)


def distance(
    chunks: SampleChunk, scores: CutScores, a: Float[Array, " T"], b: Float[Array, " T"]
) -> Float[Array, " T"]:
    """From the cut -b/a to the nearest optimal cut of its orientation; inf if there is none."""
    cut = _cut(a, b)
    target = jnp.where(a >= 0, scores.top, scores.bottom)

    def of_chunk(chunk_and_score: tuple[SampleChunk, Array]) -> Float[Array, " T"]:
        chunk, score = chunk_and_score
        optimal = (score == target[:, None]) & (chunk.next_x > chunk.x)
        away = jnp.maximum(chunk.x - cut[:, None], cut[:, None] - chunk.next_x)
        return jnp.min(jnp.where(optimal, jnp.maximum(away, 0), jnp.inf), -1)

    nearest = jnp.min(map_chunks(of_chunk, (chunks, scores.score)), 0)
    lowest, highest = chunks.x[0, :, 0], chunks.x[-1, :, -1]
    before = jnp.where(target == 0, jnp.maximum(cut - lowest, 0), jnp.inf)
    after = jnp.where(target == scores.last, jnp.maximum(highest - cut, 0), jnp.inf)
    return jnp.minimum(nearest, jnp.minimum(before, after))


def _cut(a: Float[Array, " T"], b: Float[Array, " T"]) -> Float[Array, " T"]:
    """The cut -b/a; infinite where a is 0 and the prediction is constant."""
    constant = jnp.where(b > 0, -jnp.inf, jnp.inf)
    return jnp.where(a == 0, constant, -b / jnp.where(a == 0, 1.0, a))
