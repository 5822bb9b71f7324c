"""The application: what every command is registered with, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from threading import Timer, current_thread, main_thread
from types import FrameType

from cyclopts import App, CycloptsError

import sweep
from sweep.base.errors import InputError
from sweep.base.grid import AxisError

app = App(
    name="sweep",
    help="Loss and accuracy landscapes of p = sigmoid(a*x + b): why the two disagree.",
    version=sweep.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)


DEAF = ("_xla_gc_callback", "__del__", "backend_compile_and_load")
"""Functions that an interrupt must not meet. Python drops what the first two raise; JAX has the
first called whenever garbage is collected, while it compiles many a time. The third, in which it
compiles, would lose what the compiler gives back, and the process crash as it ends."""

AGAIN = 0.01
"""Seconds after which an interrupt that met one of them is tried again."""


class UsageError(InputError):
    """The command line names something that does not exist."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    with _heard(last=arguments is None):
        sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


@contextmanager
def _heard(*, last: bool) -> Iterator[None]:
    """Lets no Ctrl-C be lost while the block runs.

    Args:
        last: whether the process ends with it: all is said and done then, and nothing to interrupt.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN if last else former)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name in DEAF:
            Timer(AGAIN, os.kill, (os.getpid(), number)).start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(
            arguments or ["--help"],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        print(end="", flush=True)  # which does nothing where there is no standard output
    except (CycloptsError, AxisError, UsageError) as error:
        return _say(error, 2)
    except InputError as error:
        return _say(error, 1)
    except KeyboardInterrupt as error:
        return _say(str(error) or "interrupted; nothing was left half-written", 130)
    except OSError as error:
        # Python flushes stdout once more as it exits, and would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            return 1
        return _say(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    except MemoryError:
        return _say("there is not enough memory; ask for fewer cells or points", 1)
    return 0


def _say(error: Exception | str, code: int) -> int:
    print("sweep: " + " ".join(str(error).split()), file=sys.stderr)
    return code
