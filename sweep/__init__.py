"""Loss and accuracy landscapes of the logistic model, their exact optima, and why they disagree.

The model is p = sigmoid(a*x + b). The packages, from the ground up; each imports only from those
above it in this list:

    base         errors, records, grids, ranges, devices, executors, files
    metrics      losses of the logit, and functions of the confusion counts
    data         samples, predictions and training histories, from files or arrays
    cluster      the executor that uses Dask workers
    populations  laws of (x, y): distributions, catalogue, sampling, quadrature
    measure      every kind of data as two weighted point sets; compression and sketches
    landscapes   every metric over a grid of (a, b)
    optima       the exact optimum of each metric
    asymptotics  n to infinity: theory, fresh samples of every size, and a verdict
    diagnosis    why loss and accuracy of a classifier disagree
    training     networks by the thousand; experiments, and paths of optimisers
    runs         large sweeps on disk, which resume after any interruption
    figures      records in, matplotlib figures out
    report       results as text, and the offline page of a diagnosis
    benchmark    this library and others, timed side by side
    cli          the command line

The names below are loaded when they are first used (`__init__.pyi` lists them).
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
