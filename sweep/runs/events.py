"""The log of a run: what happened when, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.base import files

Event = dict[str, Any]
"""`time` in UTC as ISO 8601 has it, `event`, its name, and what is known of it."""

Watcher = Callable[[Event], None]
"""Is told of events as they happen."""


def now() -> str:
    """The time, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Events:
    """Writes the log, and tells whoever watches."""

    def __init__(self, path: Path, watcher: Watcher | None = None) -> None:
        self._lines = files.Lines(path)
        self._watcher = watcher

    def __call__(self, name: str, **details: Any) -> None:
        """Logs an event.

        A disk that has no room for it is no reason to stop: the next chunk will be one.
        """
        event = {"time": now(), "event": name} | details
        with suppress(OSError):
            self._lines.append(json.dumps(event))
        if self._watcher is not None:
            self._watcher(event)

    def close(self) -> None:
        """Ends the log."""
        self._lines.close()
