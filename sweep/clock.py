"""Where the seconds go: by stage, with compilation apart."""

from __future__ import annotations

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
        compiled = _compiled()
        before, start = compiled[0], time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            compiling = min(compiled[0] - before, spent)
            spent -= compiling
            self._seconds[name] = self._seconds.get(name, 0.0) + spent
            self._seconds["compile"] += compiling

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage: {"seconds_compile": ..., "seconds_deposit": ..., ...}."""
        return {f"seconds_{name}": spent for name, spent in self._seconds.items()}


@cache
def _compiled() -> list[float]:
    """The seconds that JAX has spent compiling in this process, kept up to date, in a list."""
    import jax.monitoring

    total = [0.0]

    def add(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(COMPILATION):
            total[0] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)
    return total
