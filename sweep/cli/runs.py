"""`sweep run`, `sweep resume` and `sweep status`: a large sweep on disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import sweep
from sweep import figures
from sweep.base.errors import InputError
from sweep.base.executors import Engine
from sweep.base.tables import Table
from sweep.base.wording import counted, filled, size
from sweep.cli.options import FigureFile, Json, Quiet, Scheduler, Workers, engine
from sweep.cli.outputs import draw, print_json, print_tables, require_apart
from sweep.runs import preview
from sweep.runs.directory import Directory
from sweep.runs.log import Event
from sweep.runs.spec.spec import Spec
from sweep.runs.status import Status

Log = Annotated[
    bool, Parameter(name="--json", negative="", help="Print events, one JSON object a line.")
]
ForceFigure = Annotated[
    bool, Parameter(name="--force", negative="", help="Overwrite an existing figure.")
]

DAMAGE = ("torn", "repaired", "damaged")  # events that report damage


def run(
    spec: Annotated[Path, Parameter(help="TOML file; sweep/runs/README.md lists its keys.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="Directory of the run, which must not exist.")],
    workers: Workers = None,
    scheduler: Scheduler = None,
    figure: FigureFile = None,
    force: ForceFigure = False,
    quiet: Quiet = False,
    as_json: Log = False,
) -> None:
    """Computes what a spec describes."""
    executor = engine(workers, scheduler)
    checked = Spec.read(spec)
    try:
        checked.require_data()
    except InputError as error:
        raise InputError(f"{spec}: {error}") from None
    _require_figure(figure, out, force=force)
    status = _work(sweep.run, (checked, out), executor, quiet=quiet, as_json=as_json)
    _finish(status, figure, force=force, as_json=as_json)


def resume(
    out: Annotated[Path, Parameter(help="Directory of a run.")],
    /,
    *,
    workers: Workers = None,
    scheduler: Scheduler = None,
    figure: FigureFile = None,
    force: ForceFigure = False,
    quiet: Quiet = False,
    as_json: Log = False,
) -> None:
    """Resumes an interrupted run."""
    executor = engine(workers, scheduler)
    _require_figure(figure, out, force=force)
    status = _work(sweep.resume, (out,), executor, quiet=quiet, as_json=as_json)
    _finish(status, figure, force=force, as_json=as_json)


def status(
    out: Annotated[Path, Parameter(help="Directory of a run.")], /, *, as_json: Json = False
) -> None:
    """Shows how far a run is."""
    current = sweep.status(out)
    if as_json:
        print_json(current)
    else:
        print_tables(current.tables())


class _EventPrinter:
    """Prints events, one JSON object a line.

    If the reader of the log goes away the run continues; the error is raised at its end.
    """

    error: OSError | None = None

    def __call__(self, event: Event) -> None:
        if self.error is None:
            try:
                print(json.dumps(event), flush=True)
            except OSError as error:
                self.error = error


def _work(
    function: Callable[..., Status],
    arguments: tuple[Any, ...],
    executor: Engine,
    *,
    quiet: bool,
    as_json: bool,
) -> Status:
    """Runs or resumes, with a progress bar or a printed log."""
    printer = _EventPrinter() if as_json else None
    progress = False if quiet else None
    status = function(
        *arguments, engine=executor, progress=progress, on_event=printer or _print_damage
    )
    if printer is not None and printer.error is not None:
        raise printer.error
    return status


def _print_damage(event: Event) -> None:
    if event["event"] in DAMAGE:
        print(filled(event["sentence"]), file=sys.stderr)


def _require_figure(figure: Path | None, out: Path, *, force: bool) -> None:
    """Rejects a figure that cannot be written, before anything is computed for it."""
    if figure is None:
        return
    if figure.parent.absolute() == out.absolute() and not out.exists():
        figures.require_format(figure)  # the run will make its directory
    else:
        require_apart([], {"the figure": figure}, force=force)


def _finish(status: Status, figure: Path | None, *, force: bool, as_json: bool) -> None:
    """Draws the figure and prints what was written."""
    directory = Directory(Path(status.path))
    if figure is not None:
        _draw(directory, figure, force=force)
    if as_json:
        return
    tasks = counted(status.total, "task")
    title = f"{status.path}: {tasks} done, {size(status.size)} of results"
    written = tuple(f"written: {path}" for path in (directory.store, figure) if path is not None)
    print_tables([Table(title=title, notes=written)])


def _draw(directory: Directory, figure: Path, *, force: bool) -> None:
    """Draws some of the landscapes, or training curves of some of the networks."""
    if directory.read().to_spec().training is None:
        draw(preview.panels(directory.path), figure, force=force)
    else:
        figures.write(figures.curves(preview.curves(directory.path)), figure, force=force)
