"""The command line: parse, call, print. The only package that prints.

Exit codes: 0 done; 1 the request could not be met; 2 wrong usage; 130 interrupted. Whatever is
wrong is one sentence on stderr. Heavy modules are imported by the command that needs them, so that
`sweep --help` answers at once.

Each module imports only from those above it, and from those above `cli` in `sweep`:

    app        the application: what every command is registered with, and the exit codes
    options    options that several commands have
    grids      options of axes, metrics and their tolerance
    outputs    what a command writes, refused beforehand where it could not be written
    words      text in lines of 80 columns; times, numbers and sizes in words
    answers    optima in words
    source     what a command computes on: a file of data, a sketch, or a law at some sizes
    panels     landscapes, drawn and in words
    findings   a study in words and tables
    diagnosed  a diagnosis in words and tables
    diagnose   `sweep diagnose`
    illustrate `sweep illustrate`
    landscape  `sweep landscape`
    optimum    `sweep optimum`
    study      `sweep study`
    status     `sweep status`
    run        `sweep run` and `sweep resume`
    sketch     `sweep sketch` and `sweep merge`
    bench      `sweep bench`
    train      `sweep train`: the experiments, and options that several of them have
    experiment an experiment: done, written and printed
    train_outlier `sweep train outlier`
    train_digits `sweep train digits`
    train_causes `sweep train causes`
    path_report paths of optimisers in words and tables
    train_paths `sweep train paths`
"""

from sweep.cli import (
    bench,
    diagnose,
    illustrate,
    landscape,
    optimum,
    run,
    sketch,
    status,
    study,
    train,
)
from sweep.cli.app import main

__all__ = [
    "bench",
    "diagnose",
    "illustrate",
    "landscape",
    "main",
    "optimum",
    "run",
    "sketch",
    "status",
    "study",
    "train",
]
