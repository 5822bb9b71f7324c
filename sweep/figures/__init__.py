"""Figures: records in, a matplotlib Figure out. Nothing here computes a metric or an optimum.

Colours are those of Okabe & Ito (2008) and the perceptually uniform viridis and cividis, so that
figures read the same for the colour-blind and in grey. Sizes suit one column (3.5 in) or two (7 in)
of a printed page. Figures are made without pyplot, so none is left open behind them.

Each module imports only from those above it, and from those above `figures` in `sweep`:

    style      colours, labels and legends; a figure becomes a file
    samples    points, and slices through their landscape
    optima     both optima on the plane of (a, b)
    planes     landscapes over the plane of (a, b)
    timings    a benchmark
    convergence what a study measured against n, with theory
    answers    whether the optima are shared, over many laws
"""

from sweep.figures.answers import verdicts
from sweep.figures.convergence import rates
from sweep.figures.planes import cells, landscapes, small_multiples
from sweep.figures.samples import sample, slices
from sweep.figures.style import require_format, write
from sweep.figures.timings import bench

__all__ = [
    "bench",
    "cells",
    "landscapes",
    "rates",
    "require_format",
    "sample",
    "slices",
    "small_multiples",
    "verdicts",
    "write",
]
