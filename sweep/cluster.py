"""The engine that runs work on Dask workers: in several processes or on several machines.

Local workers are processes with one thread each, pinned to their share of the cores. A worker that
dies costs only time: other workers repeat its items, and a local worker restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast

from sweep.base import workers
from sweep.base.errors import InputError
from sweep.base.executors import Item, Result, apply
from sweep.base.progress import ignore
from sweep.base.provenance import versions

if TYPE_CHECKING:  # an optional dependency
    from distributed import Client

Future: TypeAlias = Any
"""A future of `distributed`, whose own annotations describe the asynchronous form."""

AHEAD = 2  # items submitted per thread: one runs while the next one waits at the worker
GROUP = 8  # results merged on the workers before the sum comes here, where it is safe from deaths

GONE = "the Dask scheduler went away before the work was done; start it and the work again"


class Dask:
    """Runs work on Dask workers: of this machine, or of a running scheduler.

    Args:
        workers: number of worker processes to start here for the `with` block.
        scheduler: address of a running scheduler instead, such as "tcp://10.0.0.1:8786".

    Raises:
        InputError: when the `with` block starts, if `distributed` is not installed, no scheduler
            answers at the address, the scheduler has no workers, or no workers can be started
            here; during work, if the scheduler goes away or an item has killed every worker that
            tried it.
    """

    def __init__(self, workers: int | None = None, scheduler: str | None = None) -> None:
        if (workers is None) == (scheduler is None):
            raise TypeError("give either the number of workers or the address of a scheduler")
        if workers is not None and workers < 1:
            raise InputError(f"{workers} workers cannot do any work; at least 1 is needed")
        self._workers, self._scheduler = workers, scheduler
        self._stack = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> Dask:
        """Starts the workers, or connects to the scheduler."""
        self._client = self._stack.enter_context(workers.client(self._workers, self._scheduler))
        return self

    def __exit__(self, *exception: object) -> None:
        """Kills the workers that the block started."""
        self._client = None
        self._stack.close()

    @property
    def slots(self) -> int:
        """Number of worker threads now, or of workers that the `with` block will start."""
        if self._client is None:
            return self._workers or 1
        try:
            threads = cast(dict[str, int], self._client.nthreads())
        except OSError:
            raise InputError(GONE) from None
        return max(1, sum(threads.values()))

    @property
    def _connected(self) -> Client:
        if self._client is None:
            raise TypeError("Dask runs work only inside its `with` block")
        return self._client

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to every item; see `Engine.run`."""
        with _Submitted(self._connected, _Work(function, versions()), items) as submitted:
            submitted.add_items(AHEAD * self.slots)
            for (index, _), future in submitted:
                submitted.add_items(1)
                yield index, _result(future)

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Applies the function and merges results in pairs on the workers; see `Engine.reduce`."""
        if not items:
            raise ValueError("there are no items to reduce")
        merged: list[Result] = []  # empty, or the sum of the groups that have come here
        unpaired = None
        with _Submitted(self._connected, _Work(function, versions()), items) as submitted:
            submitted.add_items(AHEAD * self.slots)
            for (index, count), future in submitted:
                _require_done(future)
                if count == 1:
                    submitted.add_items(1)
                    done(index)
                if count >= GROUP:
                    merged = [reduce(merge, [*merged, _result(future)])]
                elif unpaired is None:
                    unpaired = count, future
                else:
                    tag = index, unpaired[0] + count
                    submitted.add(tag, merge, unpaired[1], future, priority=1)
                    unpaired = None
            if unpaired is not None:
                merged = [reduce(merge, [*merged, _result(unpaired[1])])]
        return merged[0]


class _Submitted:
    """Unfinished futures; iterating yields them as they finish, each with a tag.

    The tag is the index of an item and the number of items that are merged in its result.
    """

    def __init__(self, client: Client, work: _Work[Any, Any], items: Sequence[Any]) -> None:
        from distributed import as_completed  # an optional dependency

        self._client, self._work, self._waiting = client, work, enumerate(items)
        self._completed = as_completed(loop=client.loop)
        self._tags: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> _Submitted:
        return self

    def __exit__(self, *exception: object) -> None:
        """Cancels what is not finished."""
        if self._tags:
            with suppress(Exception):  # a scheduler that went away has nothing to cancel
                self._client.cancel(list(self._tags), force=True)

    def add_items(self, count: int) -> None:
        """Submits some of the items that wait."""
        for index, item in islice(self._waiting, count):
            self.add((index, 1), self._work, item)

    def add(
        self, tag: tuple[int, int], function: Callable[..., Any], *arguments: Any, priority: int = 0
    ) -> None:
        future: Future = self._client.submit(function, *arguments, pure=False, priority=priority)
        self._tags[future.key] = tag
        self._completed.add(future)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], Future]]:
        for future in self._completed:
            yield self._tags.pop(future.key), future


@dataclass(frozen=True)
class _Work(Generic[Item, Result]):
    """A function as workers apply it: only with the versions that this process has."""

    function: Callable[[Item], Result]
    versions: Mapping[str, str]

    def __call__(self, item: Item) -> Result:
        for name, there in versions().items():
            if there != self.versions[name]:
                raise InputError(
                    f"a Dask worker has {_difference(name, there, self.versions[name])}, so that "
                    "results could differ; install the same versions"
                )
        return apply(self.function, item)


def _difference(name: str, there: str, here: str) -> str:
    """How an entry of `provenance.versions` differs between a worker and this process."""
    if name == "sources":
        return "other code of sweep than this process"
    return f"{name} {there} and this process {here}"


def _require_done(future: Future) -> None:
    """Raises what a worker raised, or an InputError that says why there is no result."""
    from distributed import KilledWorker  # an optional dependency

    if future.status == "finished":
        return
    error = future.exception(timeout=workers.PATIENCE) if future.status == "error" else None
    if error is None:
        raise InputError(GONE)
    if isinstance(error, KilledWorker):
        raise InputError(
            "one item of the work has killed every Dask worker that tried it, maybe for want of "
            "memory; use fewer workers, or give less work to each"
        )
    raise error


def _result(future: Future) -> Any:
    """Fetches the result of a worker."""
    _require_done(future)
    try:
        return future.result(timeout=None)
    finally:
        future.release()
