"""Progress bars appear on terminals only, count all work, and disappear at the end."""

import fcntl
import os
import pty
import select
import struct
import termios
from contextlib import contextmanager, redirect_stderr

import numpy as np
import pytest

import sweep
from sweep import Sample
from sweep.base import progress
from sweep.base.grid import Grid
from sweep.landscapes import direct
from sweep.measure.measure import Measure
from sweep.metrics.metrics import metric


@contextmanager
def terminal():
    """Makes a terminal of 80 columns standard error; yields a function that reads its content."""
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
    """Shows bars without delay."""
    monkeypatch.setattr(progress, "DELAY", 0.0)


@pytest.fixture
def sample():
    return Sample([0.0, 1.0, 2.0, 3.0], [0, 1, 0, 1])


@pytest.mark.parametrize("method", ["direct", "compressed"])
def test_bars_appear_on_a_terminal_and_disappear(at_once, sample, method):
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
    measure, steps = Measure.from_sample(sample), []
    loss, grid = metric("cross_entropy"), Grid(*(np.array([0.5, 1.0, 2.0]) for _ in "ab"))
    direct.direct(measure, loss, grid, "float64", 2**29, steps.append)
    assert sum(steps) == direct.work(measure, loss, grid.cells) == 9 * 4


def test_no_bar_is_created_unless_it_is_shown(monkeypatch):
    monkeypatch.setattr(progress, "tqdm", None)
    with progress.bar("work", 3, "steps", False) as step:
        step(3)
    with pytest.raises(TypeError), progress.bar("work", 3, "steps", None):
        pass
