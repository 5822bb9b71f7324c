"""Figures: records in, a matplotlib Figure out. Nothing here computes a metric or an optimum.

Colours are those of Okabe & Ito (2008) and the perceptually uniform viridis and cividis, so that
figures read the same for the colour-blind and in grey. Sizes suit one column (3.5 in) or two (7 in)
of a printed page. Figures are made without pyplot, so none is left open behind them; but those of
a `sweep.LandscapeDisplay` are pyplot's, as its users expect.

Each module imports only from those above it, and from those above `figures` in `sweep`:

    style      colours, labels and legends; a figure becomes a file
    samples    points, and slices through their landscape
    optima     both optima on the plane of (a, b)
    planes     landscapes over the plane of (a, b)
    recalibrations loss and accuracy over the recalibrations of a classifier
    shares     where the loss of a classifier comes from, and whether its probabilities come true
    overview   a diagnosis as one figure
    display    landscapes on a user's axes
    timings    a benchmark
    convergence what a study measured against n, with theory
    answers    whether the optima are shared, over many laws
    bands      medians and quantiles of curves of many networks
    outlier    networks trained on data with an outlier
    digits     networks trained on images of digits
    causes     networks trained without and with remedies
    curves     networks of a run
    trajectories paths of optimisers of (a, b)
    movies     a figure that moves becomes a file
    animation  landscapes as n grows, and paths that move on them
"""

from sweep.figures.animation import growing, moving
from sweep.figures.answers import verdicts
from sweep.figures.causes import causes_gallery
from sweep.figures.convergence import rates
from sweep.figures.curves import curves
from sweep.figures.digits import digits_curves
from sweep.figures.movies import require_movie, write_movie
from sweep.figures.outlier import outlier_curves, outlier_data, outlier_losses
from sweep.figures.overview import diagnosis
from sweep.figures.planes import cells, landscapes, small_multiples
from sweep.figures.samples import sample, slices
from sweep.figures.style import require_format, write
from sweep.figures.timings import bench
from sweep.figures.trajectories import path_curves, paths

__all__ = [
    "bench",
    "causes_gallery",
    "cells",
    "curves",
    "diagnosis",
    "digits_curves",
    "growing",
    "landscapes",
    "moving",
    "outlier_curves",
    "outlier_data",
    "outlier_losses",
    "path_curves",
    "paths",
    "rates",
    "require_format",
    "require_movie",
    "sample",
    "slices",
    "small_multiples",
    "verdicts",
    "write",
    "write_movie",
]
