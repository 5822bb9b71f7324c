"""The application: what every command is registered with, and how it ends."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from cyclopts import App, CycloptsError

import sweep
from sweep.data import InputError
from sweep.grid import AxisError

app = App(
    name="sweep",
    help="Loss and accuracy landscapes of p = sigmoid(a*x + b): why the two disagree.",
    version=sweep.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)


class UsageError(InputError):
    """The command line names something that does not exist."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


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
    except KeyboardInterrupt:
        return _say("interrupted; nothing was left half-written", 130)
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
