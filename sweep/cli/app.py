"""The application: it registers the commands, runs one, and turns its end into an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from inspect import cleandoc
from io import TextIOWrapper
from threading import Timer, current_thread, main_thread

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

RETRY_SECONDS = 0.01  # until an interrupt that Python has dropped is tried again
INTERRUPTED = 130  # exit code


class UsageError(InputError):
    """The command line names something that does not exist."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    last = arguments is None  # whether the process ends with it
    with _interruptible(last=last):
        code = _run(sys.argv[1:] if arguments is None else arguments)
    if last and code == INTERRUPTED:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)  # where JAX was interrupted as it compiled, the end of Python would crash
    sys.exit(code)


@contextmanager
def _interruptible(*, last: bool) -> Iterator[None]:
    """Makes sure that no Ctrl-C is lost while the block runs.

    Python drops exceptions in finalizers and callbacks, such as the one that JAX runs at every
    garbage collection, and only tells `sys.unraisablehook`: from there the signal is sent again.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_send_again, hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if last:  # from here on Ctrl-C is ignored
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _send_again(
    hook: Callable[[sys.UnraisableHookArgs], object], dropped: sys.UnraisableHookArgs
) -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        Timer(RETRY_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        hook(dropped)


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
        return _fail(str(error) or "interrupted; nothing was left half-written", INTERRUPTED)
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
