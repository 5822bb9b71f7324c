"""What a run has, by its journal and its store, and what of it is good."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sweep.base import files
from sweep.base.progress import bar
from sweep.runs import journal
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.journal import Done
from sweep.runs.store import Store

Log = Callable[..., Any]
"""Is told the name of an event and what is known of it."""


def recover(
    directory: Directory, begun: RunRecord, store: Store, log: Log, progress: bool | None
) -> dict[int, Done]:
    """The tasks that are done: marked in the journal, with every chunk as it was written.

    All others are to be done: nothing is left of them, nor of processes that were killed. What the
    spec says of the store is put right, so that this makes the store, too.

    Args:
        directory: the run's.
        begun: what it was begun with.
        store: the run's.
        log: is told what is not good.
        progress: whether to show a bar; None shows it on a terminal only.

    Raises:
        OSError: something cannot be read or written.
    """
    found = journal.read(directory.journal)
    if found.broken:
        lines = "line" if found.broken == 1 else "lines"
        log("torn", lines=found.broken, sentence=f"{found.broken} torn {lines} of the journal")
    for name in store.repair(begun):
        log("repaired", file=name, sentence=f"{name} of the store was damaged and is put right")
    good = {}
    known = [done for done in found.done.values() if 0 <= done.task < store.work.count()]
    with bar("check", len(known), "tasks", progress, scale=False) as step:
        for done, fault in store.check(known):
            step(1)
            if fault is None:
                good[done.task] = done
            else:
                sentence = f"{fault}, so task {done.task} is computed again"
                log("damaged", task=done.task, sentence=sentence)
    if found.broken or found.lines > len(good):
        journal.rewrite(directory.journal, good.values())
    removed = store.clear(good) + _clear(directory)
    if removed:
        log("cleared", files=removed, sentence=f"{removed} files of unfinished tasks removed")
    store.write_tables(good.values())
    return good


def settle(directory: Directory, store: Store) -> int:
    """Leaves what is done, by the journal, and nothing else; the number of tasks that are.

    Raises:
        OSError: something cannot be read or written.
    """
    done = journal.read(directory.journal).done
    store.clear(done)
    store.write_tables(done.values())
    return len(done)


def _clear(directory: Directory) -> int:
    """Removes partial files beside the store."""
    with os.scandir(directory.path) as entries:
        partial = [entry.name for entry in entries if entry.name.endswith(files.PARTIAL)]
    for name in partial:
        (directory.path / name).unlink(missing_ok=True)
    return len(partial)
