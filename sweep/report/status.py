"""How far a run is, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sweep.base.wording import counted, duration, filled, paragraph, size
from sweep.runs.status import Status


def status_lines(status: Status) -> Iterator[str]:
    """State, progress and size of a run, in lines of at most 80 columns."""
    percent = math.floor(100 * status.done / status.total)
    tasks = counted(status.total, "task")
    yield filled(f"{status.path}: {status.state.name}, {status.done} of {tasks}, {percent}%")
    if status.state.name != "finished":
        yield paragraph(status.state.value)
        yield from _process_lines(status)
    yield f"  {size(status.size)} of results"


def _process_lines(status: Status) -> Iterator[str]:
    """Progress of the process that writes to the run, or wrote to it last."""
    if status.failed:
        yield f"  {counted(status.failed, 'task')} failed; events.jsonl has the reasons"
    if not math.isnan(status.rate):
        left = "" if math.isnan(status.eta) else f", {duration(status.eta)} left"
        yield f"  {status.rate:.3g} tasks a second, {status.in_flight} in flight{left}"
    if status.pid is not None:
        times = f"for {duration(status.seconds)}, last sign of life {duration(status.silence)} ago"
        yield filled(f"process {status.pid} on {status.host}, {times}", "  ")
