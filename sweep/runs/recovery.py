"""What a run needs before it computes: a free directory, or the same spec, data and good chunks.

`run` begins only where nothing would be lost. `resume` goes on only with the spec and the data that
the run began with, and keeps only tasks whose chunks are those that were written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sweep.base import files
from sweep.base.errors import InputError
from sweep.base.progress import bar
from sweep.runs import log
from sweep.runs.directory import Directory, RunRecord, fingerprint
from sweep.runs.log import Done, Log, Writer
from sweep.runs.spec.spec import Spec
from sweep.runs.store import Store


def require_free(directory: Directory, spec: Spec) -> None:
    """Refuses a directory where a run cannot begin."""
    path = directory.path
    if path.is_dir():
        with files.system_errors(path, "read"):
            free = directory.unused()
        if not free:
            raise InputError(_occupied(directory, spec))
    elif os.path.lexists(path):
        raise InputError(f"{path}: is not a directory and stays as it is; choose another name")
    elif not path.parent.is_dir():
        raise InputError(f"{path}: cannot be made because there is no directory {path.parent}")
    parent = path if path.is_dir() else path.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written because {parent} is read-only")


def _occupied(directory: Directory, spec: Spec) -> str:
    path = directory.path
    if not directory.run_json.exists():
        return f"{path}: is not empty and not a run; choose another directory"
    record = directory.read()
    if record.fingerprint == spec.fingerprint:
        return f"{path}: holds this run already; continue it with `sweep resume {path}`"
    return (
        f"{path}: holds another run ({_differing_keys(record.to_spec(), spec)} differs); choose "
        "another directory"
    )


def require_spec(directory: Directory, record: RunRecord) -> Spec:
    """The spec of the run; that of spec.toml, which is restored if missing, must be the same."""
    spec = record.to_spec()
    if spec.fingerprint != record.fingerprint:
        raise directory.damaged()
    if not directory.spec.exists():
        files.replace(directory.spec, record.spec.encode())
    present = Spec.read(directory.spec, base=record.base)
    if present.fingerprint != record.fingerprint:
        raise InputError(
            f"{directory.spec}: has changed since the run began ({_differing_keys(spec, present)} "
            "differs); restore it, or start another run with the new spec"
        )
    return spec


def _differing_keys(spec: Spec, other: Spec) -> str:
    """The keys in which two specs differ."""
    first, second = _flat(spec), _flat(other)
    names = list(dict.fromkeys([*first, *second]))
    return ", ".join(name for name in names if first.get(name) != second.get(name)) or "base"


def _flat(spec: Spec) -> dict[str, Any]:
    """The values of a spec, those of its table `training` among them."""
    values = spec.to_dict()
    return values | values.pop("training", {})


def require_data(spec: Spec, record: RunRecord, path: Path) -> None:
    """Refuses files of data that are not those that the run began with."""
    spec.require_data()
    for file, before in zip(spec.files, record.data, strict=True):
        if fingerprint(file) != before:
            raise InputError(
                f"{path}: its data file {file} has changed since the run began; restore it, or "
                "start another run"
            )


def recover(
    directory: Directory, record: RunRecord, store: Store, events: Log, write: Writer, show: Any
) -> dict[int, Done]:
    """The tasks that are done: marked in the log, with every chunk as it was written.

    Removes the chunks of all other tasks and whatever killed processes left behind. Writes the
    metadata of the store where they differ from what the spec says, and so creates the store, too.
    """
    if events.broken:
        lines = "line" if events.broken == 1 else "lines"
        sentence = f"removed {events.broken} damaged {lines} of the log"
        write("torn", lines=events.broken, sentence=sentence)
    for name in store.repair(record):
        sentence = f"{name} of the store was damaged and is restored"
        write("repaired", file=name, sentence=sentence)
    good = {}
    with bar("check", len(events.done), "tasks", show, scale=False) as step:
        for done, fault in store.check([*events.done.values()]):
            step(1)
            if fault is None:
                good[done.task] = done
            else:
                sentence = f"{fault}, so task {done.task} is computed again"
                write("damaged", task=done.task, sentence=sentence)
    removed = store.clear(good) + _remove_partial_files(directory)
    if removed:
        sentence = f"{removed} files of unfinished tasks were removed"
        write("cleared", files=removed, sentence=sentence)
    store.write_tables(good.values())
    return good


def settle(directory: Directory, store: Store) -> int:
    """Leaves only what is done by the log; returns the number of these tasks."""
    done = log.read(directory.events).done
    store.clear(done)
    store.write_tables(done.values())
    return len(done)


def _remove_partial_files(directory: Directory) -> int:
    """Removes partial files beside the store, and counts them."""
    partial = [*directory.path.glob(f"*{files.PARTIAL}")]
    for path in partial:
        path.unlink(missing_ok=True)
    return len(partial)
