"""The application: it registers the commands, runs one, and turns its end into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import cleandoc
from io import TextIOWrapper
from threading import Timer, current_thread, main_thread
from types import FrameType

from cyclopts import App, CycloptsError

import sweep
from sweep.base.errors import AxisError, InputError
from sweep.cli.commands import COMMANDS, HELP

app = App(
    name="sweep",
    help=HELP,
    version=sweep.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
for _name, (_target, _help) in COMMANDS.items():
    app.command(_target, name=_name, help=cleandoc(_help))

DEAF = ("_xla_gc_callback", "__del__", "backend_compile_and_load")
"""Functions in which an interrupt would be lost or do harm. Python ignores exceptions in the first
two, and JAX runs the first at every garbage collection, often while it compiles. An exception in
the third, which compiles, would lose the compiler's result and crash the process at exit."""

RETRY_SECONDS = 0.01  # until an interrupt that met one of them is tried again


class UsageError(InputError):
    """The command line names something that does not exist."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    with _interruptible(last=arguments is None):
        sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


@contextmanager
def _interruptible(*, last: bool) -> Iterator[None]:
    """Makes sure that no Ctrl-C is lost while the block runs.

    Args:
        last: whether the process ends after the block; Ctrl-C is ignored from then on.
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
            Timer(RETRY_SECONDS, os.kill, (os.getpid(), number)).start()
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
        return _fail(error, 2)
    except InputError as error:
        return _fail(error, 1)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted; nothing was left half-written", 130)
    except OSError as error:
        # Python flushes stdout once more as it exits, and would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            return 1
        return _fail(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    except MemoryError:
        return _fail("there is not enough memory; ask for fewer cells or points", 1)
    return 0


def _fail(error: Exception | str, code: int) -> int:
    print("sweep: " + " ".join(str(error).split()), file=sys.stderr)
    return code
