"""`sweep bench`: this library and others, timed side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sweep import figures
from sweep.base.errors import InputError
from sweep.benchmark.problem import Peer, other_peers
from sweep.benchmark.run import PLANS
from sweep.benchmark.run import bench as measure
from sweep.benchmark.scoreboard import scoreboard
from sweep.cli.app import UsageError
from sweep.cli.options import FigureFile, Force, Json
from sweep.cli.outputs import print_json, print_tables, require_outputs, write_document


def bench(
    *,
    quick: Annotated[bool, Parameter(negative="", help="Small sizes only: half a minute.")] = False,
    full: Annotated[bool, Parameter(negative="", help="Sizes up to n = 1e8: much longer.")] = False,
    peers: Annotated[
        str | None, Parameter(help="Names separated by commas (default: all).")
    ] = None,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Times this library and others side by side."""
    if quick and full:
        raise UsageError("--quick and --full exclude each other")
    others = _peers(peers)
    require_outputs(None, out, figure, force)
    plan = PLANS["quick" if quick else "full" if full else "default"]
    result = measure(plan, others, _progress if sys.stderr.isatty() else lambda line: None)
    document = result.to_dict()
    if not as_json:
        print_tables(scoreboard(document))  # before files: it is not lost if a disk is full
    if out is not None:
        write_document(out, document, force=force)
    if figure is not None:
        figures.write(figures.bench(document), figure, force=force)
    if as_json:
        print_json(document)
    else:
        for path in (out, figure):
            if path is not None:
                print(f"written: {path}")
        print("For all numbers give --json or --out FILE.json, for a figure --figure FILE.png.")
    if result.mismatches:
        raise InputError(
            f"outputs differ, so the times do not count: {'; '.join(result.mismatches)}"
        )


def _peers(names: str | None) -> tuple[Peer, ...]:
    """The named tools; without names all that a checkout has, none in an installed package."""
    known = other_peers()
    if names is None:
        return tuple(known.values())
    if not known:
        raise UsageError(
            "--peers: only a checkout has the comparison with other tools (benchmarks/peers); "
            "install it with pip install -e, or leave out --peers to time sweep alone"
        )
    chosen = dict.fromkeys(name.strip() for name in names.split(","))
    for name in chosen:
        if name not in known:
            raise UsageError(f"--peers: there is no {name!r}; there are {', '.join(known)}")
    return tuple(known[name] for name in chosen)


def _progress(line: str) -> None:
    print(line, file=sys.stderr)
