"""The heartbeat: progress of the writing process, once a second, in a file for all to read."""

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

INTERVAL = 1.0  # seconds between two beats


@dataclass
class Beat:
    """Progress of a process. Times are seconds since 1970.

    Attributes:
        pid: number of the process.
        host: its machine.
        birth: start of the process in the unit of the system, which tells it from a later process
            with the same number; empty where the system does not say.
        state: "running", or how it ended: "finished", "interrupted" or "failed".
        started: when it began to work.
        time: of the beat.
        before: tasks that were done when it began.
        done: tasks that are done.
        total: tasks of the run.
        failed: tasks that failed.
        in_flight: tasks that are being computed.
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
        """The first beat of this process."""
        now, pid = time.time(), os.getpid()
        return cls(pid, platform.node(), birth(pid), "running", now, now, 0, 0, total)

    def work(self, done: int) -> None:
        """Starts the clock of the work, with the tasks that are done already."""
        self.started, self.before, self.done = time.time(), done, done

    @property
    def alive(self) -> bool | None:
        """Whether the process exists; None if this machine cannot tell."""
        if self.host != platform.node() or os.name != "posix":  # elsewhere signal 0 ends a process
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it belongs to another user
            return True
        return birth(self.pid) == self.birth


class Heart:
    """Writes the beat to a file while the block runs."""

    def __init__(self, path: Path, beat: Beat) -> None:
        self.beat = beat
        self._path = path
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heart:
        """Writes the first beat, and starts the thread."""
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stops the thread, and writes the last beat."""
        self._stopped.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._write()

    def _write(self) -> None:
        self.beat.time = time.time()
        with suppress(OSError):  # the writer of results reports a full disk
            files.replace(self._path, json.dumps(asdict(self.beat)).encode())


def read(path: Path) -> Beat | None:
    """The latest beat; None if there is no valid one."""
    try:
        return Beat(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def birth(pid: int) -> str:
    """Start of a process in the unit of the system; empty where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]  # field 22; the name in parentheses is field 2
