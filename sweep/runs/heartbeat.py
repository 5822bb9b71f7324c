"""The heartbeat: what the process that writes to a run is at, once a second, for all to read."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sweep.base import files

INTERVAL = 1.0
"""Seconds between two beats."""


@dataclass
class Beat:
    """What a process is at. Times are seconds since 1970.

    Attributes:
        pid: the process.
        host: the machine it runs on.
        birth: when the process began, as the system has it, which tells it from a later one with
            the same number; empty where that is not known.
        state: "running", or how it ended: "finished", "interrupted" or "failed".
        started: when it began to work.
        time: of the beat.
        before: tasks that were done when it began.
        done: tasks that are done.
        total: tasks of the run.
        failed: tasks that could not be done.
        in_flight: tasks that are worked on.
    """

    pid: int
    host: str
    birth: str
    state: str
    started: float
    time: float
    before: int
    done: int
    total: int
    failed: int = 0
    in_flight: int = 0

    @classmethod
    def begin(cls, total: int) -> Beat:
        """The first one of this process."""
        now, pid = time.time(), os.getpid()
        return cls(pid, platform.node(), birth(pid), "running", now, now, 0, 0, total)

    def work(self, done: int) -> None:
        """From now on tasks are done, besides those that are."""
        self.started, self.before, self.done = time.time(), done, done

    @property
    def alive(self) -> bool | None:
        """Whether the process is there; None if that cannot be told from here."""
        if self.host != platform.node() or os.name != "posix":  # elsewhere 0 is a signal, too
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is somebody else's
            return True
        return birth(self.pid) == self.birth


class Heart:
    """Beats while the block runs."""

    def __init__(self, path: Path, beat: Beat) -> None:
        self.beat = beat
        self._path = path
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heart:
        """Beats at once, and from now on."""
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Beats a last time."""
        self._stopped.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._write()

    def _write(self) -> None:
        self.beat.time = time.time()
        with suppress(OSError):  # a full disk is for whoever writes results to tell
            files.replace(self._path, json.dumps(asdict(self.beat)).encode())


def read(path: Path) -> Beat | None:
    """The latest beat; None if there is none."""
    try:
        return Beat(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def birth(pid: int) -> str:
    """When a process began, in the system's own unit; empty where that is not known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]  # the 22nd of all, after the name in parentheses
