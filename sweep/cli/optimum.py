"""`sweep optimum`: the exact optimum of each metric, and whether they share it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import sweep
from sweep import figures
from sweep.base.tables import Table
from sweep.cli.app import UsageError
from sweep.cli.options import (
    DataFile,
    FigureFile,
    Force,
    Json,
    LawName,
    LawSeed,
    LawSize,
    WeightName,
    XName,
    YName,
)
from sweep.cli.outputs import print_json, print_tables, require_outputs, write_document
from sweep.cli.source import source
from sweep.data.sample import Sample
from sweep.measure.sketch.sketch import Sketch


def optimum(
    data: DataFile = None,
    /,
    *,
    population: LawName = None,
    n: LawSize = None,
    seed: LawSeed = None,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Finds the exact optimum of cross-entropy and of accuracy."""
    data_source = source(data, (x, y, weight), population, n, seed)
    if len(data_source.sizes) > 1:
        raise UsageError(f"--n={n}: an optimum has one size; ask for each size separately")
    require_outputs(data_source.path, out, figure, force)
    (named,) = data_source.parts()
    if figure is not None and not isinstance(named.data, Sample):
        if isinstance(named.data, Sketch):
            raise UsageError("--figure draws the points of a sample, and a sketch has none")
        raise UsageError("--figure draws the points of a sample; give a finite --n")
    result = sweep.optimum(named.data)
    if out is not None:
        write_document(out, result.to_dict(), force=force)
    if figure is not None and isinstance(named.data, Sample):
        figures.write(figures.sample(named.data, result), figure, force=force)
    if as_json:
        print_json(result.to_dict())
    else:
        print_tables([Table(title=named.heading), *result.tables()])
