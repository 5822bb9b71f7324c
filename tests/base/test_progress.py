"""Bars and stages: shown where someone looks, true to the work, and silent otherwise."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from contextlib import contextmanager, redirect_stderr

import jax
import numpy as np
import pytest

import sweep
from sweep import Sample
from sweep.base import progress, timing
from sweep.base.grid import Grid
from sweep.base.timing import Clock
from sweep.landscapes import direct
from sweep.measure.measure import Measure
from sweep.metrics.metrics import metric


@contextmanager
def terminal():
    """A terminal of 80 columns as standard error; what it yields tells what was written on it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def written():
        stderr.flush()
        text = b""
        while select.select([master], [], [], 0.2)[0]:
            text += os.read(master, 2**16)
        return text.decode()

    with os.fdopen(slave, "w") as stderr, redirect_stderr(stderr):
        yield written
    os.close(master)


@pytest.fixture
def at_once(monkeypatch):
    """Bars that do not wait to see whether something takes long."""
    monkeypatch.setattr(progress, "DELAY", 0.0)


@pytest.fixture
def sample():
    return Sample([0.0, 1.0, 2.0, 3.0], [0, 1, 0, 1])


@pytest.mark.parametrize("method", ["direct", "compressed"])
def test_bars_are_shown_on_a_terminal_and_taken_away(at_once, sample, method):
    with terminal() as written:
        sweep.landscape(sample, method=method)
        text = written()
    assert "cross_entropy" in text
    assert "counts" in text
    assert all(len(line) <= 80 for line in text.replace("\n", "\r").split("\r"))
    assert text.rsplit("\r", 2)[-1].strip() == ""  # the last thing written is blank


def test_bars_wait_two_seconds(sample):
    assert progress.DELAY == 2.0
    with terminal() as written:
        sweep.landscape(sample)
        assert written() == ""


def test_bars_are_silent_off_a_terminal(at_once, sample, capsys):
    sweep.landscape(sample)
    assert capsys.readouterr().err == ""


def test_bars_are_silent_when_asked(at_once, sample):
    with terminal() as written:
        sweep.landscape(sample, progress=False)
        assert written() == ""


def test_bars_are_shown_anywhere_when_asked(at_once, sample, capsys):
    sweep.landscape(sample, progress=True)
    assert "cross_entropy" in capsys.readouterr().err


def test_steps_of_the_direct_method_add_up_to_its_work(sample):
    measure, done = Measure.from_sample(sample), []
    wanted, grid = metric("cross_entropy"), Grid(*(np.array([0.5, 1.0, 2.0]) for _ in "ab"))
    direct.direct(measure, wanted, grid, "float64", 2**29, done.append)
    assert sum(done) == direct.work(measure, wanted, grid.cells) == 9 * 4


def test_a_stage_counts_its_seconds_and_not_those_of_compilation(monkeypatch):
    compiled = iter([1.0, 1.01, 2.0, 2.01])  # before and after each stage
    monkeypatch.setattr(timing, "_compiled", lambda: next(compiled))
    watch = Clock()
    for _ in range(2):
        with watch.stage("work"):
            time.sleep(0.02)
    assert watch.seconds["seconds_work"] >= 0.02
    assert watch.seconds["seconds_compile"] == pytest.approx(0.02)


def test_compilation_is_seen():
    watch = Clock()
    with watch.stage("work"):
        jax.jit(lambda x: x + time.perf_counter())(1.0)
    assert watch.seconds["seconds_compile"] > 0
    assert watch.seconds["seconds_work"] >= 0


def test_a_stage_that_fails_is_counted_all_the_same():
    watch = Clock()
    with pytest.raises(KeyboardInterrupt), watch.stage("work"):
        raise KeyboardInterrupt
    assert set(watch.seconds) == {"seconds_compile", "seconds_work"}


def test_no_bar_is_made_where_none_is_to_be_shown(monkeypatch):
    monkeypatch.setattr(progress, "tqdm", None)
    with progress.bar("work", 3, "steps", False) as step:
        step(3)
    with pytest.raises(TypeError), progress.bar("work", 3, "steps", None):
        pass
