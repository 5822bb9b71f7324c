"""Dask workers of this machine, or of a scheduler that is running: started, found, kept quiet."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import pairwise
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, cast

from sweep.base.errors import InputError

if TYPE_CHECKING:
    from distributed import Client, SpecCluster
    from tornado.ioloop import IOLoop

PATIENCE = 10.0
"""Seconds in which a scheduler must answer, and have a worker."""

LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado",
           "tornado.application", "asyncio", "bokeh")  # fmt: skip
"""Which of a process's loggers speak of what workers and connections do."""

SILENT = logging.CRITICAL + 1


@contextmanager
def client(count: int | None, address: str | None) -> Iterator[Client]:
    """A client of a scheduler that has workers.

    Args:
        count: processes of this machine, which end with the block whatever they do.
        address: of a scheduler that is running, if there are none.

    Raises:
        InputError: `distributed` is not installed, no scheduler answers, it has no workers, or
            none can be started here.
    """
    _require_distributed()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(_configured())
        loop = stack.enter_context(_loop())
        if count is not None:
            address = stack.enter_context(_local(count, loop)).scheduler_address
        yield stack.enter_context(_connected(str(address), loop))


def settle(cores: Sequence[int]) -> None:
    """Makes this process, a worker, keep to some cores, and say nothing of its connections."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(SILENT)
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def _local(workers: int, loop: IOLoop) -> Iterator[SpecCluster]:
    """Workers of this machine, stopped with the block whatever they do."""
    from distributed import Nanny, Scheduler, SpecCluster

    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False}
    options = {**here, "nthreads": 1, "memory_limit": 0, "silence_logs": SILENT}
    nannies = {
        number: {"cls": Nanny, "options": {**options, "preload": [_preload(cores)]}}
        for number, cores in enumerate(shares(workers))
    }
    scheduler = {
        "cls": Scheduler,
        "options": {**here, "port": 0, "dashboard_address": "127.0.0.1:0"},
    }
    cluster = None
    try:
        with _without_interrupts():
            cluster = _started(partial(SpecCluster, nannies, scheduler, loop=loop), workers)
        yield cluster
    finally:
        if cluster is not None:
            _stop(cluster)


def _started(start: Callable[[], SpecCluster], workers: int) -> SpecCluster:
    try:
        return start()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{workers} workers cannot be started here ({error}); a script that starts some does "
            "so under `if __name__ == '__main__':`, for each of them reads it"
        ) from None


def _stop(cluster: SpecCluster) -> None:
    """Ends the workers in the middle of whatever they do: nothing is to be had of them."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # does not start again
        with suppress(ProcessLookupError, TypeError):
            os.kill(nanny.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        cluster.close(timeout=PATIENCE)


def _preload(cores: Sequence[int]) -> str:
    """What a worker does before anything else."""
    return f"import sweep.base.workers; sweep.base.workers.settle({list(cores)})"


def shares(workers: int) -> list[list[int]]:
    """The cores of this process in shares as equal as can be; none where they cannot be told."""
    if not hasattr(os, "sched_getaffinity"):
        return [[]] * workers
    cores = sorted(os.sched_getaffinity(0))
    ends = [len(cores) * k // workers for k in range(workers + 1)]
    parts = pairwise(ends)
    return [cores[low:high] or [cores[low % len(cores)]] for low, high in parts]


@contextmanager
def _connected(address: str, loop: IOLoop) -> Iterator[Client]:
    """A client of a scheduler that answers and has workers."""
    from distributed import Client
    from distributed.utils import sync

    try:
        sync(loop, _identity, address, callback_timeout=PATIENCE)
        with warnings.catch_warnings(action="ignore"):  # versions are compared by the work
            client = Client(address, timeout=PATIENCE, loop=loop, set_as_default=False)
    except ValueError as error:
        raise InputError(f"{address} is not the address of a Dask scheduler ({error})") from None
    except (OSError, RuntimeError):
        raise InputError(
            f"no Dask scheduler answers at {address} within {PATIENCE:g} s; give the address that "
            "`dask scheduler` prints"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"the Dask scheduler at {address} has no workers; start some with "
                f"`dask worker {address}`"
            ) from None
        yield client


async def _identity(address: str) -> None:
    """Asks a scheduler who it is: what listens there may be anything, and never answer."""
    from distributed.core import rpc

    async with rpc(address) as scheduler:
        await scheduler.identity()


@contextmanager
def _loop() -> Iterator[IOLoop]:
    """A thread for connections, from which workers are started that Ctrl-C does not reach.

    It goes to every process of a terminal, and would have each of them say that it was interrupted.
    """
    from distributed.utils import LoopRunner

    runner = LoopRunner()
    resource_tracker.ensure_running()  # which would unblock the signal
    try:
        with _without_interrupts():
            runner.start()
        yield cast("IOLoop", runner.loop)
    finally:
        runner.stop()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Puts Ctrl-C off until the block is done, and keeps it from threads that are started in it."""
    held: list[int] = []
    former = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    masks = hasattr(signal, "pthread_sigmask")
    if here:
        signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here:
            signal.signal(signal.SIGINT, former)
    if held:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps connections and workers from speaking on stderr."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(SILENT)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _configured() -> Iterator[None]:
    """Dask as this work needs it."""
    from dask import config

    settings = {
        # A worker that was killed is started again, however long that takes.
        "distributed.deploy.lost-worker-timeout": "1 day",
        # Without Dask's MALLOC_TRIM_THRESHOLD_, which makes every large temporary new pages.
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1},
        # An item waits for whichever worker is free first, not for one that it was given to.
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": f"{PATIENCE} s",
    }
    environment = dict(os.environ)  # to which Dask adds what workers shall have
    try:
        with config.set(settings):
            yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]


def _require_distributed() -> None:
    """Says what to install where Dask is not."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InputError(
            "workers need the package distributed; install it with: pip install 'sweep[cluster]'"
        ) from None
