"""`sweep status`: how far a run is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sweep.cli.app import app
from sweep.cli.options import Json
from sweep.cli.outputs import print_json
from sweep.report.text import counted, duration, filled, paragraph, size

if TYPE_CHECKING:
    from sweep.runs.status import Status


@app.command
def status(
    out: Annotated[Path, Parameter(help="Directory of a run.")], /, *, as_json: Json = False
) -> None:
    """How far a run is, also from another terminal: done, running, stalled or interrupted."""
    from sweep.runs.status import status as status_of

    found = status_of(out)
    if as_json:
        print_json(found)
    else:
        print_status(found)


def print_status(found: Status) -> None:
    """How far a run is, in a few lines."""
    share = math.floor(100 * found.done / found.total)
    tasks = counted(found.total, "task")
    print(filled(f"{found.path}: {found.state.name}, {found.done} of {tasks}, {share}%"))
    if found.state.name != "finished":
        print(paragraph(found.state.value))
        _print_process(found)
    print(f"  {size(found.size)} of results")


def _print_process(found: Status) -> None:
    """What the latest process to work on it is at, or was."""
    if found.failed:
        print(f"  {counted(found.failed, 'task')} could not be done; events.jsonl says why")
    if not math.isnan(found.rate):
        left = "" if math.isnan(found.eta) else f", {duration(found.eta)} left"
        print(f"  {found.rate:.3g} tasks a second, {found.in_flight} in flight{left}")
    if found.pid is not None:
        heard = f"for {duration(found.seconds)}, heard of {duration(found.silence)} ago"
        print(filled(f"process {found.pid} on {found.host}, {heard}", "  "))
