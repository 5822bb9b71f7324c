"""Experiments with networks: what people say makes loss and accuracy part, reproduced by training.

Each module imports only from those above it, and from those above `experiments` in `sweep`:

    requirements  seeds and epochs enough to be judged
    recognition   of how many networks `sweep.diagnose` makes each finding
    outlier_statistics what is measured and counted of networks that learn data with an outlier
    outlier       `outlier()`: how often one point makes the loss rise while accuracy holds
    digits        `digits()`: loss and accuracy that rise together, on images of digits
    catalogue     causes that people name for it, with the remedies they name for each
    evaluation    networks as they are judged: loss, accuracy, and what a diagnosis finds
    effects       what a remedy changes, over seeds, beside what is said of it
    table         causes and remedies as one dataset
    causes        `causes()`: every cause and remedy, tried
"""
