"""Two classes of any number of rows as a few thousand nodes, for what is done a thousand times.

Rows with neighbouring logits and the same label become two nodes, by Gauss's rule: they keep the
number of the rows and the mean, variance and third moment of their logits, so any smooth sum over
them is right to the fourth power of how far they are apart. Where rows matter one by one, among the
largest losses and at the ends of a class, each is a node of its own. No node stands for rows on
both sides of 0, so accuracy is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.data.predictions import Predictions
from sweep.measure.points import Points, gauss, sort

MOST = 2**14
"""Nodes; up to so many rows are nodes themselves."""

WORST = 8
"""One in so many nodes is for a single row with one of the largest losses."""

ENDS = 64
"""One in so many for a single row at each end of each class, and for one with a large weight."""


@dataclass(frozen=True, eq=False)
class LogitNodes:
    """Weighted logits, in ascending order, that stand for rows.

    The weight of a node in a bootstrap sample is `weight` times a random number with mean `count`.

    Attributes:
        z: logits, ascending.
        y: whether the class is 1.
        count: number of rows that each stands for, not always whole. Of rows with unequal weights
            it is (sum w)^2 / sum w^2, so that the variance of their weight in a Poisson bootstrap
            is right.
        weight: of each of these rows; 1 without weights.
    """

    z: Float[np.ndarray, " M"]
    y: Bool[np.ndarray, " M"]
    count: Float[np.ndarray, " M"]
    weight: Float[np.ndarray, " M"]

    def __len__(self) -> int:
        return len(self.z)

    @property
    def rows(self) -> bool:
        """Whether each node is a row."""
        return bool(np.all(self.count == 1))

    @property
    def margin(self) -> Float[np.ndarray, " M"]:
        """Log-odds of the class that came true."""
        return np.where(self.y, self.z, -self.z)


def compress(predictions: Predictions, most: int = MOST) -> LogitNodes:
    """Nodes for predictions of two classes.

    Args:
        predictions: of two classes; rows of weight 0 are left out.
        most: nodes that there may be, at least 256; so many rows, or fewer, are the nodes.
    """
    predictions = predictions.with_weight
    z, y, weight = predictions.logits, predictions.y == 1, predictions.weight
    if len(z) > most:
        return _grouped(z, y, weight, most)
    order = np.argsort(z, kind="stable")
    return LogitNodes(z[order], y[order], np.ones(len(z)), predictions.mass[order])


def _grouped(
    z: Float[np.ndarray, " n"],
    y: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"] | None,
    most: int,
) -> LogitNodes:
    zero, one = (
        Points(*sort(z[y == label], None if weight is None else weight[y == label]))
        for label in (False, True)
    )
    edges = _edges(zero, one, most)
    (z0, count0, weight0), (z1, count1, weight1) = (_gauss(c.x, c.mass, edges) for c in (zero, one))
    z = np.concatenate([z0, z1])
    order = np.argsort(z, kind="stable")
    return LogitNodes(
        z=z[order],
        y=(np.arange(len(z)) >= len(z0))[order],
        count=np.concatenate([count0, count1])[order],
        weight=np.concatenate([weight0, weight1])[order],
    )


def _edges(zero: Points, one: Points, most: int) -> Float[np.ndarray, " e"]:
    """Upper ends of groups of logits, ascending, the last one not below any logit.

    The same for both classes, so that at each of them the rows below are known exactly. The points
    are in order.
    """
    ends = most // ENDS
    worst0, worst1 = _worst(zero.x, one.x, most // WORST)
    # With the edge below it, the first of those at an upper end is apart from the others.
    alone = [zero.x[:ends], zero.x[-max(ends, worst0) - 1 :]]
    alone += [one.x[: max(ends, worst1)], one.x[-ends - 1 :]]
    for rows in (zero, one):
        if rows.mass is not None:
            heavy = rows.x[np.argsort(-rows.mass)[: ends // 2]]
            alone += [heavy, np.nextafter(heavy, -np.inf)]
    zeros = [np.nextafter(0.0, -np.inf), 0.0]
    alone = np.unique(np.concatenate([*alone, zeros, [np.inf]]))
    groups = most
    while True:
        quantiles = (_quantiles(rows.x, groups) for rows in (zero, one))
        edges = np.unique(np.concatenate([alone, *quantiles]))
        nodes = sum(np.sum(np.minimum(_rows(c.x, edges), 2)) for c in (zero, one))
        if nodes <= most or groups == 0:
            return edges
        groups = groups * 7 // 8


def _worst(
    zero: Float[np.ndarray, " l"], one: Float[np.ndarray, " m"], count: int
) -> tuple[int, int]:
    """How many of each class are among that many largest losses of both."""
    margin = np.concatenate([-zero[-count:], one[:count]])
    least = np.partition(margin, count - 1)[count - 1]
    return int(np.sum(-zero[-count:] <= least)), int(np.sum(one[:count] <= least))


def _quantiles(z: Float[np.ndarray, " m"], groups: int) -> Float[np.ndarray, " k"]:
    """Last of each of so many groups of neighbours, the last group left out."""
    if len(z) == 0:
        return z
    return z[np.arange(1, groups) * len(z) // groups - 1] if groups < len(z) else z


def _rows(z: Float[np.ndarray, " m"], edges: Float[np.ndarray, " e"]) -> Int[np.ndarray, " e"]:
    """How many sorted logits lie in each group."""
    return np.diff(np.searchsorted(z, edges, side="right"), prepend=0)


def _gauss(
    z: Float[np.ndarray, " m"],
    weight: Float[np.ndarray, " m"] | None,
    edges: Float[np.ndarray, " e"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """(z, count, weight) of the nodes of one class, from its sorted logits."""
    rows = _rows(z, edges)
    rows = rows[rows > 0]
    if len(rows) == 0:
        return z, z, z
    last = np.cumsum(rows) - 1
    first = last + 1 - rows
    each = np.ones(len(z)) if weight is None else weight

    def summed(values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " g"]:
        return np.add.reduceat(values, first)

    # In a unit in which no power overflows.
    unit = max(np.max(np.abs(z)), np.finfo(np.float64).tiny)
    offset = (z - np.repeat(z[first], rows)) / unit
    total = summed(each)
    mean = summed(each * offset) / total
    offset -= np.repeat(mean, rows)
    by_square = each * offset * offset
    variance, third = summed(by_square) / total, summed(by_square * offset) / total
    away, share = gauss(variance, third)
    count, omega = (rows, total / rows) if weight is None else _effective(total, summed(each**2))
    nodes = np.clip(away * unit + (z[first] + mean * unit), z[first], z[last])
    kept = share > 0
    return nodes[kept], (share * count)[kept], np.broadcast_to(omega, share.shape)[kept]


def _effective(
    total: Float[np.ndarray, " g"], of_squares: Float[np.ndarray, " g"]
) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
    """Number and weight of equal rows whose total weight varies as that of unequal ones."""
    return total * (total / of_squares), of_squares / total
