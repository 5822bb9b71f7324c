"""Starts Dask workers on this machine or connects to a running scheduler, and silences both."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, cast

from sweep.base.errors import InputError

if TYPE_CHECKING:  # an optional dependency
    from distributed import Client, SpecCluster
    from tornado.ioloop import IOLoop

PATIENCE = 10.0  # seconds within which a scheduler must answer and have a worker

LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado",
           "tornado.application", "asyncio", "bokeh")  # fmt: skip
SILENT = logging.CRITICAL + 1  # a level above every message


@contextmanager
def client(count: int | None, address: str | None) -> Iterator[Client]:
    """Yields a client of `count` workers that are started here, or of a running scheduler.

    The end of the block kills the workers that were started here.
    """
    try:
        import distributed  # noqa: F401  an optional dependency
    except ImportError:
        raise InputError(
            "workers need the package distributed; install it with: pip install distributed"
        ) from None
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(_configured())
        loop = stack.enter_context(_loop())
        if count is not None:
            address = stack.enter_context(_local(count, loop)).scheduler_address
        yield stack.enter_context(_connected(str(address), loop))


def settle(cores: Sequence[int]) -> None:
    """Pins this process, a worker, to some cores, and silences its loggers."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(SILENT)
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def _local(workers: int, loop: IOLoop) -> Iterator[SpecCluster]:
    """Starts workers on this machine and kills them when the block ends."""
    from distributed import Nanny, Scheduler, SpecCluster  # an optional dependency

    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False}
    options = {**here, "nthreads": 1, "memory_limit": 0, "silence_logs": SILENT}
    preload = "import sweep.base.workers; sweep.base.workers.settle({})"  # before anything else
    nannies = {
        number: {"cls": Nanny, "options": {**options, "preload": [preload.format(cores)]}}
        for number, cores in enumerate(shares(workers))
    }
    scheduler = {
        "cls": Scheduler,
        "options": {**here, "port": 0, "dashboard_address": "127.0.0.1:0"},
    }
    with ExitStack() as stack:
        with _without_interrupts():
            try:
                cluster = SpecCluster(nannies, scheduler, loop=loop)
            except (OSError, RuntimeError) as error:
                raise InputError(
                    f"{workers} workers cannot be started here ({error}); a script must start them "
                    "under `if __name__ == '__main__':`, because every worker imports the script"
                ) from None
            stack.callback(_stop, cluster)
        yield cluster


def _stop(cluster: SpecCluster) -> None:
    """Kills the workers at once: their unfinished results are not needed."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # keeps the nanny from starting another worker
        with suppress(ProcessLookupError, TypeError):
            os.kill(nanny.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        cluster.close(timeout=PATIENCE)


def shares(workers: int) -> list[list[int]]:
    """Splits the cores of this process evenly; shares are empty if the system lists no cores."""
    if not hasattr(os, "sched_getaffinity"):
        return [[]] * workers
    cores = sorted(os.sched_getaffinity(0))
    ends = [len(cores) * k // workers for k in range(workers + 1)]
    return [cores[low:high] or [cores[low % len(cores)]] for low, high in pairwise(ends)]


@contextmanager
def _connected(address: str, loop: IOLoop) -> Iterator[Client]:
    """Yields a client of a scheduler that answers and has workers."""
    from distributed import Client  # an optional dependency
    from distributed.utils import sync  # an optional dependency

    try:
        sync(loop, _identity, address, callback_timeout=PATIENCE)
        with warnings.catch_warnings(action="ignore"):  # `sweep.cluster` compares versions
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
    """Asks a scheduler for its identity; any other program that listens may never answer."""
    from distributed.core import rpc  # an optional dependency

    async with rpc(address) as scheduler:
        await scheduler.identity()


@contextmanager
def _loop() -> Iterator[IOLoop]:
    """Starts the thread of the connections, which starts workers that ignore Ctrl-C.

    A terminal sends Ctrl-C to all its processes, and each worker would report the interruption.
    """
    from distributed.utils import LoopRunner  # an optional dependency

    runner = LoopRunner()
    resource_tracker.ensure_running()  # starting it later would unblock the signal
    try:
        with _without_interrupts():
            runner.start()
        yield cast("IOLoop", runner.loop)
    finally:
        runner.stop()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Delays Ctrl-C to the end of the block, and hides it from threads that the block starts."""
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
    """Silences the messages of connections and workers on stderr."""
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
    """Sets the Dask configuration that this work needs."""
    from dask import config  # an optional dependency

    settings = {
        # Restart a killed worker, however long that takes.
        "distributed.deploy.lost-worker-timeout": "1 day",
        # Omit Dask's MALLOC_TRIM_THRESHOLD_, which gives new pages to every large temporary.
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1},
        # Queue items at the scheduler: the first free worker takes the next one.
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": f"{PATIENCE} s",
    }
    environment = dict(os.environ)  # Dask adds variables for the workers
    try:
        with config.set(settings):
            yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
