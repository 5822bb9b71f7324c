"""Processes of several machines that make one sketch together, by `jax.distributed`.

Each process is started with the same address of a coordinator, which is process 0. All processes
first connect to it by a plain socket: JAX would end every process if one were missing.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np

from sweep.base.errors import InputError

PATIENCE = 60.0  # seconds in which all processes must have been started
PAUSE = 0.1  # seconds between two attempts to reach a coordinator that has not started yet
FOREVER = 10**7  # seconds until JAX would end all processes; `gathered` notices a lost one sooner

Tree = TypeVar("Tree")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Host:
    """One of several processes that work together.

    Attributes:
        coordinator: "HOST:PORT" of process 0, as all others reach it; the port is free there.
        processes: number of processes.
        process: number of this process, from 0.
    """

    coordinator: str
    processes: int
    process: int

    def __post_init__(self) -> None:
        """Refuses an address or a number that is not valid.

        Raises:
            InputError: the address is not HOST:PORT, or the number is not below `processes`.
        """
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
            raise InputError(
                f"{self.coordinator} is not the address of a coordinator; give HOST:PORT, "
                "such as 10.0.0.1:9911"
            )
        if self.processes < 1 or not 0 <= self.process < self.processes:
            raise InputError(
                f"process {self.process} of {self.processes} does not exist; give a number from 0 "
                f"to {self.processes - 1}"
            )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the coordinator."""
        host, _, port = self.coordinator.rpartition(":")
        return host.strip("[]"), int(port)

    def share(self, items: Sequence[Tree]) -> Sequence[Tree]:
        """This process's share of the items."""
        return items[self.process :: self.processes]


@contextmanager
def together(host: Host) -> Iterator[None]:
    """Connects the processes; JAX must not have computed anything before.

    Raises:
        InputError: a process does not start in time, or they disagree on their number.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are reported as sentences
    _meet(host)
    import jax  # after the log level is set

    with _no_output():
        jax.distributed.initialize(
            host.coordinator,
            host.processes,
            host.process,
            initialization_timeout=int(PATIENCE),
            heartbeat_timeout_seconds=FOREVER,
        )
        everyone("")  # which connects them: from now on whoever goes away is missed
    try:
        yield
    except BaseException as error:
        if isinstance(error, InputError) and not isinstance(error, _GoneError):
            jax.distributed.shutdown()  # all have been told of it, see `agreed`
        else:  # leaving in the ordinary way would wait for those that are gone, or do not know
            atexit.register(_leave, 130 if isinstance(error, KeyboardInterrupt) else 1)
        raise
    jax.distributed.shutdown()


class _GoneError(InputError):
    """Another process has ended."""


def agreed(work: Callable[[], Result]) -> Result:
    """Does the work of this process; if any process refuses its own, all refuse.

    Raises:
        InputError: the message of the first process that refuses.
    """
    result, refusal = None, ""
    try:
        result = work()
    except InputError as error:
        refusal = str(error)
    for text in everyone(refusal):
        if text:
            raise InputError(text)
    return cast(Result, result)


def gathered(tree: Tree) -> list[Tree]:
    """The arrays of every process, in their order.

    Args:
        tree: arrays of the same shapes and types in every process, in dicts, lists or tuples.

    Raises:
        InputError: another process has ended.
    """
    import jax  # after `together` has set the log level
    from jax.experimental import multihost_utils  # only for several processes

    if jax.process_count() == 1:
        return [tree]
    try:
        with jax.enable_x64(True):
            found = multihost_utils.process_allgather(tree)
    except (RuntimeError, ValueError):  # JAX raises either
        raise _GoneError(
            "another process ended before the work was done; start all again"
        ) from None
    return [jax.tree.map(lambda array, k=k: array[k], found) for k in range(jax.process_count())]


def everyone(text: str) -> list[str]:
    """The texts of every process, in their order."""
    mine = np.frombuffer(text.encode(), np.uint8)
    lengths = [int(length[0]) for length in gathered(np.array([len(mine)]))]
    padded = np.zeros(max(1, *lengths), np.uint8)
    padded[: len(mine)] = mine
    found = gathered(padded)
    return [row[:length].tobytes().decode() for row, length in zip(found, lengths, strict=True)]


def _leave(code: int) -> None:
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


@contextmanager
def _no_output() -> Iterator[None]:
    """Keeps what C++ prints of its connections off this process's output."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _meet(host: Host) -> None:
    """Waits until all processes are there, each of which says who it is.

    Raises:
        InputError: one does not come, comes twice, or counts them otherwise.
    """
    if host.processes == 1:
        return
    last = time.monotonic() + PATIENCE
    if host.process == 0:
        _receive(host, last)
    else:
        _call(host, last)


def _receive(host: Host, last: float) -> None:
    """The coordinator's part: hears every other process, then tells them whether all is well."""
    found: dict[int, socket.socket] = {}
    with ExitStack() as stack:
        try:
            family = socket.AF_INET6 if ":" in host.address[0] else socket.AF_INET
            listener = stack.enter_context(socket.create_server(host.address, family=family))
        except OSError as error:
            raise InputError(
                f"cannot listen at {host.coordinator} ({error.strerror or error}); give a free port"
            ) from None
        refusal = ""
        while len(found) < host.processes - 1 and not refusal:
            listener.settimeout(max(0.01, last - time.monotonic()))
            try:
                caller = stack.enter_context(listener.accept()[0])
                caller.settimeout(PATIENCE)
                process, processes = json.loads(_line(caller))
            except (OSError, ValueError):
                if time.monotonic() >= last:
                    refusal = _missing(host, found)
                continue
            if processes != host.processes:
                refusal = f"process {process} is told of {processes} processes and process 0 of "
                refusal += f"{host.processes}; give all the same number"
            elif process in found:
                refusal = f"there are two processes {process}; number them from 0"
            found[process] = caller
        for caller in found.values():
            with suppress(OSError):
                caller.sendall(json.dumps(refusal).encode() + b"\n")
    if refusal:
        raise InputError(refusal)


def _missing(host: Host, found: Mapping[int, object]) -> str:
    missing = [str(k) for k in range(1, host.processes) if k not in found]
    return (
        f"of {host.processes} processes these have not come within {PATIENCE:g} s: "
        f"{', '.join(missing)}; start them all, with the same address of process 0"
    )


def _call(host: Host, last: float) -> None:
    """The part of all others: say who they are, and wait for the answer."""
    while True:
        try:
            with socket.create_connection(host.address, PATIENCE) as caller:
                caller.settimeout(2 * PATIENCE)  # it answers when it has heard all, or given up
                caller.sendall(json.dumps([host.process, host.processes]).encode() + b"\n")
                refusal = json.loads(_line(caller))
            break
        except (OSError, ValueError):
            if time.monotonic() >= last:
                raise InputError(
                    f"process 0 does not answer at {host.coordinator} within {PATIENCE:g} s; "
                    "start it there, and give all others that address"
                ) from None
            time.sleep(PAUSE)
    if refusal:
        raise InputError(refusal)


def _line(caller: socket.socket) -> bytes:
    """A line that another process sends; empty if it went away."""
    with caller.makefile("rb") as file:
        return file.readline(2**16)
