import time

import jax
import pytest

from sweep.base import timing
from sweep.base.timing import Clock


def test_a_stage_counts_its_seconds_and_not_those_of_compilation(monkeypatch):
    compiled = iter([1.0, 1.01, 2.0, 2.01])  # before and after each stage
    monkeypatch.setattr(timing, "_compiled", lambda: next(compiled))
    clock = Clock()
    for _ in range(2):
        with clock.stage("work"):
            time.sleep(0.02)
    assert clock.seconds["seconds_work"] >= 0.02
    assert clock.seconds["seconds_compile"] == pytest.approx(0.02)


def test_compilation_is_seen():
    clock = Clock()
    with clock.stage("work"):
        jax.jit(lambda x: x + time.perf_counter())(1.0)
    assert clock.seconds["seconds_compile"] > 0
    assert clock.seconds["seconds_work"] >= 0


def test_a_stage_that_fails_counts_too():
    clock = Clock()
    with pytest.raises(KeyboardInterrupt), clock.stage("work"):
        raise KeyboardInterrupt
    assert set(clock.seconds) == {"seconds_compile", "seconds_work"}
