"""The exact accuracy optimum of samples, by one running sum of the labels.

A cut above the first k points gets right, beyond predicting class 1 everywhere, as many points as
there are more of class 0 than of class 1 among them: the score of k. Its highest and lowest values
are the most correct predictions with class 1 above the cut and below it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from sweep.asymptotics.chunks import SampleChunk, flat, over, take
from sweep.optima.records import OptimumStatus
from sweep.populations.sampling import SampleLayout, cumulative

STATUSES = tuple(OptimumStatus)
"""Their order is that of the codes in a table."""

LARGEST = 1.7976931348623157e308
"""The largest float64."""

NEIGHBOURS = 4
"""Points on either side of -b/a whose logits tell where the cut is exactly."""

EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to this one are exact in float32, which is twice as fast."""


class Scan(NamedTuple):
    """Every cut of T samples.

    Attributes:
        score: of the first 1, 2, ... points.
        last: score of all points.
        ones: points of class 1.
        correct: most correct predictions.
        top: score of the best cuts with class 1 above; nan if there is none.
        bottom: the same with class 1 below.
    """

    score: Float[Array, "C T L"]
    last: Float[Array, " T"]
    ones: Int[Array, " T"]
    correct: Int[Array, " T"]
    top: Float[Array, " T"]
    bottom: Float[Array, " T"]


class Best(NamedTuple):
    """The optimal cuts of T samples, and runs of one class.

    Attributes:
        low: the widest cell of optimal cuts between neighbouring points is (low, high], the first
            of several; infinite for a constant prediction, which is taken if there is none.
        high: as above.
        orientation: of that cell; +1 if class 1 is predicted above the cut.
        cells: how many cells between neighbouring points, and constants, are optimal.
        leading: points before the first of another class than they are.
        trailing: points after the last of another class than they are.
    """

    low: Float[Array, " T"]
    high: Float[Array, " T"]
    orientation: Int[Array, " T"]
    cells: Int[Array, " T"]
    leading: Int[Array, " T"]
    trailing: Int[Array, " T"]


def scan(every: SampleChunk, layout: SampleLayout) -> Scan:
    """The scores of all cuts, and the best."""
    n = layout.n
    kind = jnp.float32 if n < EXACT_IN_FLOAT32 else jnp.float64

    def of_piece(total: Array, piece: SampleChunk) -> tuple[Array, tuple[Array, Array, Array]]:
        gain = jnp.where(piece.inside, jnp.where(piece.y, -1.0, 1.0), 0.0).astype(kind)
        score = total[:, None] + cumulative(gain)
        inner = jnp.where(piece.after > piece.x, score, 0)
        return score[:, -1], (score, jnp.max(inner, -1), jnp.min(inner, -1))

    last, (score, tops, bottoms) = lax.scan(of_piece, jnp.zeros(layout.samples, kind), every)
    # Without points below the cut the score is 0; with all of them it is the last one.
    top = jnp.maximum(jnp.max(tops, 0), jnp.maximum(last, 0))
    bottom = jnp.minimum(jnp.min(bottoms, 0), jnp.minimum(last, 0))
    ones = ((n - last) / 2).astype(jnp.int32)
    above, below = ones + top.astype(jnp.int32), n - ones - bottom.astype(jnp.int32)
    correct = jnp.maximum(above, below)
    top = jnp.where(above == correct, top, jnp.nan)
    bottom = jnp.where(below == correct, bottom, jnp.nan)
    return Scan(score, last, ones, correct, top, bottom)


def best(every: SampleChunk, scan: Scan, layout: SampleLayout) -> Best:
    """The optimal cuts."""
    n = layout.n

    def of_piece(both: tuple[SampleChunk, Array]) -> tuple[Array, ...]:
        piece, score = both
        found = (score == scan.top[:, None]) | (score == scan.bottom[:, None])
        found &= piece.after > piece.x
        width = jnp.where(found, piece.after - piece.x, -1.0)
        widest = jnp.max(width, -1)
        at = jnp.min(jnp.where(width == widest[:, None], piece.place, n), -1)
        size, rest = jnp.abs(score), jnp.abs(scan.last[:, None] - score)
        leading = size == (piece.place + 1).astype(score.dtype)
        trailing = rest == (n - 1 - piece.place).astype(score.dtype)
        counts = (jnp.sum(flags, -1, dtype=jnp.int32) for flags in (found, leading, trailing))
        return widest, at, *counts

    widths, places, *parts = over(of_piece, (every, scan.score))
    cells, leading, trailing = (jnp.sum(part, 0, dtype=jnp.int32) for part in parts)
    widest = jnp.max(widths, 0)
    at = jnp.min(jnp.where(widths == widest[None], places, n), 0)
    low, high, orientation = _cell(every, scan, widest, at)
    constants = (scan.correct == value for value in (scan.ones, n - scan.ones))
    # The last point counts among those that trail itself.
    return Best(
        low=low,
        high=high,
        orientation=orientation,
        cells=cells + sum(constant.astype(jnp.int32) for constant in constants),
        leading=leading,
        trailing=trailing - 1,
    )


def _cell(
    every: SampleChunk, scan: Scan, widest: Float[Array, " T"], at: Int[Array, " T"]
) -> tuple[Array, Array, Array]:
    """Ends and orientation of the cell after a point, or of a constant prediction."""
    x, size = every.x, every.x.shape[0] * every.x.shape[-1]
    inner = jnp.minimum(at, size - 1)
    low, high = take(x, inner), take(x, jnp.minimum(inner + 1, size - 1))
    cut, ones = widest >= 0, scan.correct == scan.ones
    low = jnp.where(cut, low, jnp.where(ones, -jnp.inf, x[-1, :, -1]))
    high = jnp.where(cut, high, jnp.where(ones, x[0, :, 0], jnp.inf))
    upward = ~cut | (take(scan.score, inner) == scan.top)
    return low, high, jnp.where(upward, 1, -1)


def status(every: SampleChunk, scan: Scan, best: Best, layout: SampleLayout) -> Int[Array, " T"]:
    """Whether cross-entropy has an optimum, from the extremes of the classes (see `optimum`)."""
    n = layout.n
    lowest, highest = every.x[0, :, 0], every.x[-1, :, -1]
    # Two of the four extremes are ends of x; the others stand where the class of an end ceases.
    other_lowest = take(every.x, jnp.minimum(best.leading, n - 1))
    other_highest = take(every.x, jnp.maximum(n - 1 - best.trailing, 0))
    ends = (take(every.y, jnp.full_like(scan.ones, index)) for index in (0, n - 1))
    same = jnp.equal(*ends)
    # The class that begins may lie below the other; above it only where all but ties are.
    overlap = jnp.where(same, highest, other_highest) - other_lowest
    touching = jnp.where(same, other_highest, highest) == lowest
    cases = {
        OptimumStatus.one_class: (scan.ones == 0) | (scan.ones == n),
        OptimumStatus.constant_x: lowest == highest,
        OptimumStatus.separated: overlap < 0,
        OptimumStatus.quasi_separated: (overlap == 0) | touching,
    }
    codes = [jnp.full_like(scan.ones, STATUSES.index(status)) for status in cases]
    finite = jnp.full_like(scan.ones, STATUSES.index(OptimumStatus.finite))
    return jnp.select(list(cases.values()), codes, finite)


# --- the classifier at (a, b) -------------------------------------------------------------------


def correct(
    every: SampleChunk,
    scan: Scan,
    a: Float[Array, " T"],
    b: Float[Array, " T"],
    layout: SampleLayout,
) -> Int[Array, " T"]:
    """Correct predictions at (a, b), by the rounded logit of the points next to the cut."""
    n = layout.n
    x = flat(every.x)
    found = jnp.minimum(jax.vmap(jnp.searchsorted)(x, _cut(a, b)), n).astype(jnp.int32)
    near = found[:, None] + jnp.arange(-NEIGHBOURS, NEIGHBOURS, dtype=jnp.int32)[None]
    # The clip stands between product and sum, which a compiler would otherwise round as one.
    product = a[:, None] * jnp.take_along_axis(x, jnp.clip(near, 0, n - 1), -1)
    predicted = jnp.clip(product, -LARGEST, LARGEST) + b[:, None] > 0
    upward = a >= 0
    inside = (near >= 0) & (near < n)
    beneath = jnp.where(inside, predicted != upward[:, None], near < 0)
    below = near[:, 0] + jnp.sum(beneath, -1, dtype=jnp.int32)
    score = take(scan.score, jnp.clip(below - 1, 0, n - 1))
    score = jnp.where(below > 0, score, 0).astype(jnp.int32)
    return jnp.where(upward, scan.ones + score, n - scan.ones - score)


def distance(
    every: SampleChunk, scan: Scan, a: Float[Array, " T"], b: Float[Array, " T"]
) -> Float[Array, " T"]:
    """From the cut -b/a to the nearest optimal one with class 1 on the same side; inf if none."""
    cut = _cut(a, b)
    target = jnp.where(a >= 0, scan.top, scan.bottom)

    def of_piece(both: tuple[SampleChunk, Array]) -> Float[Array, " T"]:
        piece, score = both
        optimal = (score == target[:, None]) & (piece.after > piece.x)
        away = jnp.maximum(piece.x - cut[:, None], cut[:, None] - piece.after)
        return jnp.min(jnp.where(optimal, jnp.maximum(away, 0), jnp.inf), -1)

    nearest = jnp.min(over(of_piece, (every, scan.score)), 0)
    lowest, highest = every.x[0, :, 0], every.x[-1, :, -1]
    before = jnp.where(target == 0, jnp.maximum(cut - lowest, 0), jnp.inf)
    after = jnp.where(target == scan.last, jnp.maximum(highest - cut, 0), jnp.inf)
    return jnp.minimum(nearest, jnp.minimum(before, after))


def _cut(a: Float[Array, " T"], b: Float[Array, " T"]) -> Float[Array, " T"]:
    constant = jnp.where(b > 0, -jnp.inf, jnp.inf)
    return jnp.where(a == 0, constant, -b / jnp.where(a == 0, 1.0, a))
