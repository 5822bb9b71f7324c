"""The command line: parse, call, print. The only package that prints.

Exit codes: 0 done; 1 the request could not be met; 2 wrong usage; 130 interrupted. Whatever is
wrong is one sentence on stderr. Heavy modules are imported by the command that needs them, so that
`sweep --help` answers at once.

Each module imports only from those above it, and from those above `cli` in `sweep`:

    app        the application: what every command is registered with, and the exit codes
    options    options that several commands have
    outputs    what a command writes, refused beforehand where it could not be written
    words      optima in words
    source     what a command computes on: a file of data, or a law at some sizes
    findings   a study in words and tables
    diagnosed  a diagnosis in words and tables
    diagnose   `sweep diagnose`
    illustrate `sweep illustrate`
    landscape  `sweep landscape`
    optimum    `sweep optimum`
    study      `sweep study`
    bench      `sweep bench`
"""

from sweep.cli import bench, diagnose, illustrate, landscape, optimum, study
from sweep.cli.app import main

__all__ = ["bench", "diagnose", "illustrate", "landscape", "main", "optimum", "study"]
