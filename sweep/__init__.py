"""Loss and accuracy landscapes of the logistic model, their exact optima, and why they disagree.

The model is p = sigmoid(a*x + b). The pipeline, in the order of the modules, each of which imports
only from those above it:

    records    results as plain Python values
    data       a `Sample` of points (x, y), read from CSV, NPY or NPZ, or one of the illustrations
    progress   progress bars
    clock      seconds by stage
    grid       the axes of a and b
    losses     the metrics: losses of the logit, and functions of the confusion counts
    analytic   what error bounds need to know of a loss
    measure    a `Measure`: what every kind of data becomes, two weighted point sets
    chebyshev  interpolation, and how wrong it can be
    devices    the devices JAX computes on
    lattice    n points become sums over bins
    cuts       exact decision cuts and exact counts
    counts     counting metrics over a grid
    newton     where cross-entropy is least
    kernels    sums over every point, cell by cell, on the device
    plan       how compressed data are evaluated, and how wrong that can be
    compressed evaluation at a cost independent of n, with a certified error
    verify     the check of a compressed landscape against the points
    methods    direct or compressed: the choice between them
    models     a `Slice` through the parameters of a model of your own, and metrics of your own
    pairs      their evaluation, cell by cell and sample by sample, on the device
    landscape  `landscape()`: every metric in every cell, labelled
    optimum    `optimum()`: the exact optimum of each metric, and whether they share it
    illustrate `illustrate()`: the published illustrations, computed
    store      results on disk
    bench      this library and its peers side by side; a package of its own
    figures    records drawn by matplotlib
    cli        the command line
"""

from importlib.metadata import version

from sweep import data, losses
from sweep.data import Batch, InputError, Sample
from sweep.landscape import landscape
from sweep.measure import Measure
from sweep.models import Slice
from sweep.optimum import Optimum, optimum

__version__ = version("sweep")

__all__ = [
    "Batch",
    "InputError",
    "Measure",
    "Optimum",
    "Sample",
    "Slice",
    "data",
    "landscape",
    "losses",
    "optimum",
]
