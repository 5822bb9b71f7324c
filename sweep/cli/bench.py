"""`sweep bench`: this library and its peers side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sweep.base.errors import InputError
from sweep.cli.app import UsageError, app
from sweep.cli.options import FigureFile, Force, Json
from sweep.cli.outputs import print_json, require_outputs, write_document


@app.command
def bench(
    *,
    quick: Annotated[bool, Parameter(negative="", help="Half a minute, on small sizes.")] = False,
    full: Annotated[bool, Parameter(negative="", help="Much longer, to n = 1e8.")] = False,
    peers: Annotated[
        str | None, Parameter(help="Names, with commas between; default: all.")
    ] = None,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """This library and its peers side by side, outputs checked before a time counts.

    A peer that is not installed is skipped; what takes too long is extrapolated, and marked.
    """
    from sweep.benchmark.run import PLANS
    from sweep.benchmark.run import bench as measure
    from sweep.benchmark.scoreboard import scoreboard

    if quick and full:
        raise UsageError("--quick and --full exclude each other")
    names = _peers(peers)
    require_outputs(None, out, figure, force)
    plan = PLANS["quick" if quick else "full" if full else "default"]
    result = measure(plan, names, _progress if sys.stderr.isatty() else lambda line: None)
    document = result.to_dict()
    if not as_json:
        print(scoreboard(document), flush=True)  # first: it is there even if a disk is full
    if out is not None:
        write_document(out, document, force=force)
    if figure is not None:
        from sweep import figures

        figures.write(figures.bench(document), figure, force=force)
    if as_json:
        print_json(document)
    else:
        for path in (out, figure):
            if path is not None:
                print(f"written: {path}")
        print("All numbers: --json or --out FILE.json; as a figure: --figure FILE.png")
    if result.mismatches:
        raise InputError(f"outputs differ, so no time counts: {'; '.join(result.mismatches)}")


def _peers(names: str | None) -> tuple[str, ...]:
    from sweep.benchmark.peers import PEERS

    wanted = (
        tuple(PEERS)
        if names is None
        else tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    )
    for name in wanted:
        if name not in PEERS:
            raise UsageError(f"--peers: there is no {name!r}; there are {', '.join(PEERS)}")
    return wanted


def _progress(line: str) -> None:
    print(line, file=sys.stderr)
