"""`sweep run` and `sweep resume`: a large sweep on disk, as a spec asks for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import sweep
from sweep.base.errors import InputError
from sweep.cli.app import app
from sweep.cli.options import FigureFile, Quiet, Scheduler, Workers, engine
from sweep.cli.outputs import draw, require_apart
from sweep.report.text import counted, filled, size
from sweep.runs.directory import Directory
from sweep.runs.spec.spec import Spec

if TYPE_CHECKING:
    from sweep.base.executors import Engine
    from sweep.runs.events import Event
    from sweep.runs.status import Status

Log = Annotated[
    bool, Parameter(name="--json", negative="", help="Print what happens, one JSON object a line.")
]
ForceFigure = Annotated[bool, Parameter(name="--force", negative="", help="Overwrite the figure.")]

FOUND = ("torn", "repaired", "damaged")
"""Events that tell of damage."""


@app.command
def run(
    spec: Annotated[Path, Parameter(help="TOML; the README has its keys.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="Directory of the run, which it makes.")],
    workers: Workers = None,
    scheduler: Scheduler = None,
    figure: FigureFile = None,
    force: ForceFigure = False,
    quiet: Quiet = False,
    as_json: Log = False,
) -> None:
    """Compute what a spec asks for: landscapes of many laws or files, or networks.

    The results are OUT/results.zarr, for xarray.open_zarr. Whatever stops a run,
    sweep resume goes on with it, and sweep status says how far it is.
    """
    who = engine(workers, scheduler)
    asked = Spec.read(spec)
    try:
        asked.require_data()
    except InputError as error:
        raise InputError(f"{spec}: {error}") from None
    _require_figure(figure, out, force=force)
    found = _work(sweep.run, (asked, out), who, quiet=quiet, as_json=as_json)
    _finish(found, figure, force=force, as_json=as_json)


@app.command
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
    """Go on with a run that was stopped, however it was.

    What is done is checked, and computed again only if it is damaged. Another spec,
    other data or other versions of what computes are refused.
    """
    who = engine(workers, scheduler)
    _require_figure(figure, out, force=force)
    found = _work(sweep.resume, (out,), who, quiet=quiet, as_json=as_json)
    _finish(found, figure, force=force, as_json=as_json)


class _Lines:
    """Prints events, one JSON object a line, for as long as somebody reads them.

    A run is not lost because whoever read its log has gone: what went wrong is raised at its end.
    """

    error: OSError | None = None

    def __call__(self, event: Event) -> None:
        """Prints an event."""
        if self.error is None:
            try:
                print(json.dumps(event), flush=True)
            except OSError as error:
                self.error = error


def _work(
    work: Callable[..., Status],
    arguments: tuple[Any, ...],
    who: Engine,
    *,
    quiet: bool,
    as_json: bool,
) -> Status:
    """Runs or resumes, with progress and the log as asked for."""
    lines = _Lines() if as_json else None
    progress = False if quiet else None
    found = work(*arguments, engine=who, progress=progress, on_event=lines or _tell)
    if lines is not None and lines.error is not None:
        raise lines.error
    return found


def _tell(event: Event) -> None:
    """Says what was found not to be as it was left."""
    if event["event"] in FOUND:
        print(filled(event["sentence"]), file=sys.stderr)


def _require_figure(figure: Path | None, out: Path, *, force: bool) -> None:
    """Refuses a figure that could not be written, before anything is computed for it."""
    if figure is None:
        return
    if figure.parent.absolute() == out.absolute() and not out.exists():
        from sweep import figures

        figures.require_format(figure)  # the run makes its directory
    else:
        require_apart([], {"the figure": figure}, force=force)


def _finish(found: Status, figure: Path | None, *, force: bool, as_json: bool) -> None:
    """Draws the figure, and says what was written."""
    directory = Directory(Path(found.path))
    if figure is not None:
        _draw(directory, figure, force=force)
    if as_json:
        return
    print(
        filled(f"{found.path}: {counted(found.total, 'task')} done, {size(found.size)} of results")
    )
    for path in (directory.store, figure):
        if path is not None:
            print(f"  written: {path}")


def _draw(directory: Directory, figure: Path, *, force: bool) -> None:
    """Draws some of the landscapes, or curves of some of the networks."""
    from sweep import figures
    from sweep.runs import preview

    if directory.read().to_spec().training is None:
        draw(preview.panels(directory.path), figure, force=force)
    else:
        figures.write(figures.curves(preview.curves(directory.path)), figure, force=force)
