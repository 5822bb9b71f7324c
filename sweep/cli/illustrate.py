"""`sweep illustrate`: published numbers beside computed ones, and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sweep import figures
from sweep.asymptotics.published import Illustration
from sweep.asymptotics.published import illustrate as compute
from sweep.base.files import require_free
from sweep.cli.options import Force, Json
from sweep.cli.outputs import make_directory, print_json, print_tables
from sweep.data.sample import ILLUSTRATIONS

KINDS = ("sample", "slices", "landscapes", "cells")  # figures of one illustration


def illustrate(
    number: Annotated[Literal[1, 2, 3] | None, Parameter(help="Default: all three.")] = None,
    /,
    *,
    out: Annotated[Path, Parameter(help="Directory of the figures.")] = Path("illustrations"),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Computes the published illustrations, beside the published numbers."""
    numbers = ILLUSTRATIONS if number is None else (number,)
    together = [out / "illustrations.png"] if number is None else []
    paths_of = {k: {kind: out / f"illustration{k}_{kind}.png" for kind in KINDS} for k in numbers}
    make_directory(out)
    for path in [*together, *(path for paths in paths_of.values() for path in paths.values())]:
        require_free(path, force=force)
    results = [compute(k) for k in numbers]
    documents = []
    for result in results:
        drawn = {
            "sample": figures.sample(result.sample, result.optimum),
            "slices": figures.slices(result.along_b, result.along_a, result.optimum),
            "landscapes": figures.landscapes(result.landscape, result.optimum),
            "cells": figures.cells(result.landscape, result.optimum),
        }
        paths = paths_of[result.number]
        for kind in KINDS:
            figures.write(drawn[kind], paths[kind], force=force)
        documents.append(result.to_dict() | {"figures": [str(path) for path in paths.values()]})
        if not as_json:
            _print_illustration(result, list(paths.values()))
    for path in together:
        panels = [(_title(r), r.landscape, r.optimum) for r in results]
        figures.write(figures.small_multiples(panels), path, force=force)
    if as_json:
        print_json({"illustrations": documents, "figures": [str(path) for path in together]})
    else:
        for path in together:
            print(f"All landscapes together: {path}")


def _title(result: Illustration) -> str:
    return f"n = {len(result.sample)}, accuracy lost {result.optimum.regret:.2g}"


def _print_illustration(result: Illustration, written: list[Path]) -> None:
    print_tables(result.tables())
    for path in written:
        print(f"  written: {path}")
    print()
