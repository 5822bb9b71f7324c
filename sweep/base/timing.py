"""Where the seconds go: by stage, with compilation apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

COMPILATION = "/jax/core/compile/"
"""What JAX's own measurements of tracing, lowering and compiling are called."""


class Clock:
    """Seconds spent in named stages. Stages may be entered again and do not overlap."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {"compile": 0.0}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the seconds of the block for the stage, and what JAX compiles in it apart."""
        before, start = _compiled(), time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            compiling = min(_compiled() - before, spent)
            spent -= compiling
            self._seconds[name] = self._seconds.get(name, 0.0) + spent
            self._seconds["compile"] += compiling

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage: {"seconds_compile": ..., "seconds_deposit": ..., ...}."""
        return {f"seconds_{name}": spent for name, spent in self._seconds.items()}


class _Compiling(threading.local):
    """The seconds that JAX has spent compiling in a thread since it was first asked for them."""

    seconds = 0.0


_compiling = _Compiling()
_lock = threading.Lock()


def _compiled() -> float:
    """Seconds of compilation in this thread so far."""
    with _lock:
        _listen()
    return _compiling.seconds


@cache
def _listen() -> None:
    """Has JAX report what it compiles, in the thread that compiles, from now on."""
    import jax.monitoring

    def add(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(COMPILATION):
            _compiling.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)
