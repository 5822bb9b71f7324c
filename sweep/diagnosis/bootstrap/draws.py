"""Bootstrap samples: how often each node is drawn, a thousand times over.

Where nodes are rows, the ordinary bootstrap: n rows with replacement. Where nodes stand for several
rows, each row is drawn Poisson(1) times, so each node Poisson(count) times, whatever the others
are; with the many rows that there are then, no statistic that is divided by its weight can tell the
two (Hanley & MacGibbon 2006, Creating non-parametric bootstrap samples using Poisson frequencies,
Comput. Methods Programs Biomed. 83; Chamandy et al. 2012, Estimating uncertainty for massive data
streams, Google).
"""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from jaxtyping import Float

from sweep.diagnosis.bootstrap.nodes import LogitNodes

AT_ONCE = 2**19
"""Numbers drawn at once, 4 MiB, so that what is made of them stays in a cache."""

FEWEST, LARGEST = 8, 1024
"""Fewest and most bootstrap samples drawn at once."""


def at_once(nodes: Sized, replicates: int) -> int:
    """Bootstrap samples that are drawn together."""
    most = min(LARGEST, max(FEWEST, AT_ONCE // len(nodes)))
    return min(most, 2 ** (replicates - 1).bit_length())


def seeds(nodes: Sized, replicates: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """A generator for each part of the bootstrap samples, and how many there are in the part."""
    rows = at_once(nodes, replicates)
    parts = -(-replicates // rows)
    for i, child in enumerate(np.random.SeedSequence(seed).spawn(parts)):
        yield np.random.Generator(np.random.SFC64(child)), min(rows, replicates - i * rows)


def draw(
    nodes: LogitNodes, generator: np.random.Generator, samples: int
) -> Float[np.ndarray, "r M"]:
    """How often each node is drawn in each of so many bootstrap samples."""
    if not nodes.rows:
        return generator.poisson(nodes.count, (samples, len(nodes))).astype(np.float64)
    return draw_rows(len(nodes), generator, samples)


def draw_rows(m: int, generator: np.random.Generator, samples: int) -> Float[np.ndarray, "r M"]:
    """How often each of m rows is drawn in each of so many ordinary bootstrap samples."""
    drawn = np.empty((samples, m))
    for sample in drawn:
        sample[:] = np.bincount(generator.integers(0, m, m), minlength=m)
    return drawn
