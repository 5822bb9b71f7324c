"""Loss and accuracy landscapes of the logistic model, their exact optima, and why they disagree.

The model is p = sigmoid(a*x + b). The pipeline, in the order of the modules, each of which imports
only from those above it:

    records       results as plain Python values
    errors        what cannot be done, in one sentence
    store         results on disk, whole or not at all
    columns       columns of numbers, and what is wrong with them
    tables        columns of files: CSV, NPY, NPZ or Parquet
    blocks        arrays in NPY and NPZ files, block by block of rows
    readers       columns of files, batch by batch
    data          a `Sample` of points (x, y), from a file, or one of the illustrations
    shards        rows of files larger than memory, batch by batch
    labels        labels of any kind become class numbers
    odds          logits or probabilities become finite logits
    selection     which columns of a file are predictions
    predictions   logits of a classifier with their labels
    history       loss and accuracy by epoch of training
    families      members that differ by parameters, and the texts that ask for them
    progress      progress bars
    clock         seconds by stage
    intervals     of means and of shares
    engines       who does work of many independent items
    hosts         processes of several machines that know of each other
    grid          the axes of a and b
    sizes         sizes of samples, from text or numbers
    losses        the metrics: losses of the logit, and functions of the confusion counts
    analytic      what error bounds need to know of a loss
    chebyshev     interpolation, and how wrong it can be
    distributions laws of x; a package of its own
    populations   laws of (x, y), and the catalogue of them; a package of its own
    panels        where the densities of a population are polynomials
    quadrature    a population as panels of nodes
    points        weighted points of one class
    cuts          exact decision cuts
    lattice       bins, and the sums over them that n points become
    plan          how compressed data are evaluated, and how wrong that can be
    sums          totals that do not depend on the order of adding up
    terms         what a sketch is made for, before any data are read
    sketch        a `Sketch`: what is kept of data of any size, and adds up
    binned        a sketch in the place of points
    streams       rows that come batch by batch become a sketch
    joint         one sketch made by workers of an engine, or by several machines
    archive       sketches on disk
    brackets      between what accuracy lies where a sketch does not count exactly
    devices       the devices JAX computes on
    deposits      the sums, made on the devices
    measure       a `Measure`: what every kind of data becomes, two weighted point sets
    sampling      samples of a population, in order, by key
    confusion     exact confusion masses of classifiers, and the most accurate of them
    continuous    the most accurate cuts of a population
    counts        counting metrics over a grid
    newton        where cross-entropy is least
    certificate   how wrong an optimum of cross-entropy from a sketch can be
    kernels       sums over every point, cell by cell, on the device
    fold          the sums become a few weighted nodes, as slopes see them
    compressed    evaluation at a cost independent of n, with a certified error
    verify        the check of a compressed landscape against the points
    methods       direct or compressed: the choice between them
    models        a `Slice` through the parameters of a model of your own, and metrics of your own
    pairs         their evaluation, cell by cell and sample by sample, on the device
    tiles         metrics over a grid, prepared once and had tile by tile
    preparation   what is decided before the first tile
    outofcore     landscapes larger than memory, on disk
    landscape     `landscape()`: every metric in every cell, labelled
    optima        the records of optima
    optimum       `optimum()`: the exact optimum of each metric, and whether they share it
    sandwich      how far samples scatter the cross-entropy optimum
    places        what kind of place the accuracy optimum of a law is
    limits        `limits()`: what theory says as n grows
    series        one law at several sizes, and their landscapes as one dataset
    illustrate    `illustrate()`: the published illustrations, computed
    study         what becomes of the optima as n grows; a package of its own
    diagnosis     why loss and accuracy of a classifier disagree; a package of its own
    training      networks trained by the thousand; a package of its own
    experiments   what makes their loss and accuracy part; a package of its own
    paths         where optimisers of (a, b) go; a package of its own
    runs          large sweeps on disk; a package of its own
    bench         this library and its peers side by side; a package of its own
    figures       records drawn by matplotlib; a package of its own
    page          the page of a diagnosis, one HTML file; a package of its own
    display       landscapes by the conventions of scikit-learn's displays
    workers       Dask workers, started here or found
    cluster       the engine that gives work to them
    cli           the command line; a package of its own
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
