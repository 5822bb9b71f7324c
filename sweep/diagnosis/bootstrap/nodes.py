"""The nodes of the bootstrap of two classes, and how often samples draw them.

Compression turns any number of rows into a few thousand nodes, for work that is done a thousand
times. Rows with neighbouring logits and the same label become two nodes by Gauss's rule: they keep
the number of rows and the mean, variance and third moment of the logits, so the error of a smooth
sum is of fourth order in the distance of the rows. Rows that matter one by one, with the largest
losses and at the ends of a class, are nodes of their own. No node stands for rows on both sides of
0, so accuracy is exact.

Where nodes are rows, the ordinary bootstrap draws n rows with replacement. Where nodes stand for
several rows, each row is drawn Poisson(1) times, so each node Poisson(count) times independently;
with that many rows, no statistic divided by its weight can tell the two apart (Hanley & MacGibbon
2006, Creating non-parametric bootstrap samples using Poisson frequencies, Comput. Methods Programs
Biomed. 83; Chamandy et al. 2012, Estimating uncertainty for massive data streams, Google).
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sweep.data.predictions import Predictions
from sweep.measure.points import Points, gauss, sort

MAX_NODES = 2**14  # up to so many rows are nodes themselves
WORST = 8  # one in so many nodes is a single row with one of the largest losses
ENDS = 64  # one in so many is a single row at each end of each class, and of the largest weights

BATCH_NUMBERS = 2**19  # drawn together: 4 MiB, so that temporary arrays stay in a cache
MIN_BATCH, MAX_BATCH = 8, 1024  # bootstrap samples


@dataclass(frozen=True, eq=False)
class LogitNodes:
    """Weighted logits, in ascending order, that stand for rows.

    The weight of a node in a bootstrap sample is `weight` times a random number with mean `count`.
    """

    z: Float[np.ndarray, " M"]  # logits, ascending
    y: Bool[np.ndarray, " M"]  # whether the class is 1
    # number of rows that each node stands for; may be fractional. For rows of unequal weights it is
    # (sum w)^2 / sum w^2, so that the weight of the node has the right variance in a Poisson
    # bootstrap
    count: Float[np.ndarray, " M"]
    weight: Float[np.ndarray, " M"]  # weight of each of these rows; 1 without weights

    def __len__(self) -> int:
        return len(self.z)

    @property
    def rows(self) -> bool:
        """Whether each node is a row."""
        return bool(np.all(self.count == 1))

    @property
    def margin(self) -> Float[np.ndarray, " M"]:
        """Log-odds of the true class."""
        return np.where(self.y, self.z, -self.z)


def compress(predictions: Predictions, max_nodes: int = MAX_NODES) -> LogitNodes:
    """Nodes for predictions of two classes."""
    predictions = predictions.with_weight
    z, y, weight = predictions.logits, predictions.y == 1, predictions.weight
    if len(z) > max_nodes:
        return _grouped(z, y, weight, max_nodes)
    order = np.argsort(z, kind="stable")
    return LogitNodes(z[order], y[order], np.ones(len(z)), predictions.mass[order])


def _grouped(
    z: Float[np.ndarray, " n"],
    y: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"] | None,
    max_nodes: int,
) -> LogitNodes:
    class0, class1 = (
        Points(*sort(z[y == label], None if weight is None else weight[y == label]))
        for label in (False, True)
    )
    edges = _edges(class0, class1, max_nodes)
    (z0, count0, weight0), (z1, count1, weight1) = (
        _gauss(points.x, points.mass, edges) for points in (class0, class1)
    )
    z = np.concatenate([z0, z1])
    order = np.argsort(z, kind="stable")
    return LogitNodes(
        z=z[order],
        y=(np.arange(len(z)) >= len(z0))[order],
        count=np.concatenate([count0, count1])[order],
        weight=np.concatenate([weight0, weight1])[order],
    )


def _edges(class0: Points, class1: Points, max_nodes: int) -> Float[np.ndarray, " e"]:
    """Upper ends of groups of logits, ascending; no logit is above the last one.

    Both classes have the same edges, so the number of rows below each edge is known exactly. The
    points are in order.
    """
    ends = max_nodes // ENDS
    worst0, worst1 = _worst_counts(class0.x, class1.x, max_nodes // WORST)
    # One edge more below the rows at an upper end, which separates the first of them.
    single = [class0.x[:ends], class0.x[-max(ends, worst0) - 1 :]]
    single += [class1.x[: max(ends, worst1)], class1.x[-ends - 1 :]]
    for points in (class0, class1):
        if points.mass is not None:
            heavy = points.x[np.argsort(-points.mass)[: ends // 2]]
            single += [heavy, np.nextafter(heavy, -np.inf)]
    around_zero = [np.nextafter(0.0, -np.inf), 0.0]
    fixed = np.unique(np.concatenate([*single, around_zero, [np.inf]]))
    groups = max_nodes
    while True:
        quantiles = (_quantiles(points.x, groups) for points in (class0, class1))
        edges = np.unique(np.concatenate([fixed, *quantiles]))
        # A group of one row is one node, any other is two.
        nodes = sum(np.sum(np.minimum(_rows(p.x, edges), 2)) for p in (class0, class1))
        if nodes <= max_nodes or groups == 0:
            return edges
        groups = groups * 7 // 8


def _worst_counts(
    z0: Float[np.ndarray, " l"], z1: Float[np.ndarray, " m"], count: int
) -> tuple[int, int]:
    """How many of the `count` largest losses are in class 0, and how many in class 1."""
    margin = np.concatenate([-z0[-count:], z1[:count]])
    least = np.partition(margin, count - 1)[count - 1]
    return int(np.sum(-z0[-count:] <= least)), int(np.sum(z1[:count] <= least))


def _quantiles(z: Float[np.ndarray, " m"], groups: int) -> Float[np.ndarray, " k"]:
    """The last logit of each of so many groups of neighbours, but for the last group."""
    if len(z) == 0:
        return z
    return z[np.arange(1, groups) * len(z) // groups - 1] if groups < len(z) else z


def _rows(z: Float[np.ndarray, " m"], edges: Float[np.ndarray, " e"]) -> Int[np.ndarray, " e"]:
    """Number of sorted logits in each group."""
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
    row_weight = np.ones(len(z)) if weight is None else weight

    def summed(values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " g"]:
        return np.add.reduceat(values, first)

    # Moments about the mean of each group, in a unit in which no power overflows.
    unit = max(np.max(np.abs(z)), np.finfo(np.float64).tiny)
    offset = (z - np.repeat(z[first], rows)) / unit
    total = summed(row_weight)
    mean = summed(row_weight * offset) / total
    offset -= np.repeat(mean, rows)
    square = row_weight * offset * offset
    variance, third = summed(square) / total, summed(square * offset) / total
    deviation, share = gauss(variance, third)
    count, node_weight = rows, total / rows
    if weight is not None:
        count, node_weight = _equal_rows(total, summed(row_weight**2))
    nodes = np.clip(deviation * unit + (z[first] + mean * unit), z[first], z[last])
    kept = share > 0
    return nodes[kept], (share * count)[kept], np.broadcast_to(node_weight, share.shape)[kept]


def _equal_rows(
    total: Float[np.ndarray, " g"], squares: Float[np.ndarray, " g"]
) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
    """Number and weight of equal rows whose total weight has the same variance."""
    return total * (total / squares), squares / total


# --- draws --------------------------------------------------------------------------------------


def batch_size(units: Sized, replicates: int) -> int:
    """Number of bootstrap samples that are drawn together."""
    most = min(MAX_BATCH, max(MIN_BATCH, BATCH_NUMBERS // len(units)))
    return min(most, 2 ** (replicates - 1).bit_length())


def batches(units: Sized, replicates: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """For each batch of bootstrap samples its random generator and the number of samples."""
    size = batch_size(units, replicates)
    number = -(-replicates // size)
    for i, child in enumerate(np.random.SeedSequence(seed).spawn(number)):
        yield np.random.Generator(np.random.SFC64(child)), min(size, replicates - i * size)


def draw(
    nodes: LogitNodes, generator: np.random.Generator, samples: int
) -> Float[np.ndarray, "r M"]:
    """How often each of so many bootstrap samples draws each node."""
    if not nodes.rows:
        return generator.poisson(nodes.count, (samples, len(nodes))).astype(np.float64)
    return draw_rows(len(nodes), generator, samples)


def draw_rows(m: int, generator: np.random.Generator, samples: int) -> Float[np.ndarray, "r M"]:
    """How often each of so many ordinary bootstrap samples draws each of m rows."""
    counts = np.empty((samples, m))
    for sample in counts:
        sample[:] = np.bincount(generator.integers(0, m, m), minlength=m)
    return counts
