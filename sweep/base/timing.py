"""Seconds by stage of a computation, with JAX's compilation as a stage of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import jax.monitoring

COMPILATION = "/jax/core/compile/"  # prefix of JAX's events for tracing, lowering and compiling


class Clock:
    """Seconds spent in named stages, which may repeat but must not overlap."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {"compile": 0.0}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the seconds of the block to the stage, and those of compiling to "compile"."""
        compiled, start = _compiled(), time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            compiling = min(_compiled() - compiled, spent)
            spent -= compiling
            self._seconds[name] = self._seconds.get(name, 0.0) + spent
            self._seconds["compile"] += compiling

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage: {"seconds_compile": ..., "seconds_deposit": ..., ...}."""
        return {f"seconds_{name}": spent for name, spent in self._seconds.items()}


class _Compiling(threading.local):
    """Seconds that JAX has compiled in a thread since the listener was registered."""

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
    """Registers a listener for JAX's compile events, which JAX calls in the compiling thread."""

    def add(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(COMPILATION):
            _compiling.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)
