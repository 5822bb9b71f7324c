"""`sweep optimum`: the exact optimum of each metric, and whether they share it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import sweep
from sweep.cli.app import UsageError, app
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
from sweep.cli.outputs import print_json, print_lines, require_outputs, write_document
from sweep.cli.source import source
from sweep.data.sample import Sample
from sweep.measure.sketch.sketch import Sketch
from sweep.report.optimum import optimum_lines


@app.command
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
    """The exact optimum of cross-entropy and of accuracy, and whether they share it."""
    asked = source(data, (x, y, weight), population, n, seed)
    if len(asked.sizes) > 1:
        raise UsageError(f"--n={n}: an optimum is of one size; ask for each by itself")
    require_outputs(asked.path, out, figure, force)
    (part,) = asked.parts()
    if figure is not None and not isinstance(part.data, Sample):
        if isinstance(part.data, Sketch):
            raise UsageError("--figure draws a sample, and a sketch is none; give no --figure")
        raise UsageError("--figure draws a sample, and n = inf is none; give --n, or no --figure")
    result = sweep.optimum(part.data)
    if out is not None:
        write_document(out, result.to_dict(), force=force)
    if figure is not None and isinstance(part.data, Sample):
        from sweep import figures

        figures.write(figures.sample(part.data, result), figure, force=force)
    if as_json:
        print_json(result.to_dict())
    else:
        print(part.heading)
        print_lines(optimum_lines(result))
