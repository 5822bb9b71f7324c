"""The engine of several processes or machines: work on Dask workers.

Workers of this machine are processes of one thread each, pinned to their share of the cores, so
that what computes in them keeps to it. A worker that dies costs the time of what it held: its
items are worked on again by others, and a process of this machine is started again.
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

if TYPE_CHECKING:
    from distributed import Client

Future: TypeAlias = Any
"""Of `distributed`, whose annotations are those of its asynchronous form."""

AHEAD = 2
"""Items given to each thread at once: one is worked on, the others are there when it is done."""

GROUP = 8
"""Items whose results are merged by workers before they are brought here.

What is here is not lost with a worker, which therefore takes with it at most some such groups.
"""

GONE = "the Dask scheduler went away before the work was done; start it and the work again"


class Dask:
    """Work on Dask workers: of this machine, or of a scheduler that is running.

    Args:
        workers: processes of this machine, for as long as the `with` block.
        scheduler: the address of a scheduler, such as "tcp://10.0.0.1:8786", instead.

    Raises:
        InputError: by `with`, if `distributed` is not installed, no scheduler answers at the
            address, it has no workers, or no workers can be started here; by work, if the
            scheduler goes away or an item has killed every worker that tried it.
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
        """Starts the workers, or finds the scheduler."""
        self._client = self._stack.enter_context(workers.client(self._workers, self._scheduler))
        return self

    def __exit__(self, *exception: object) -> None:
        """Stops the workers that were started, whatever they do."""
        self._client = None
        self._stack.close()

    @property
    def slots(self) -> int:
        """Threads of the workers that are there now, or will be."""
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
            raise TypeError("workers are there in a `with` block only")
        return self._client

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to every item; see `Engine.run`."""
        work = _Work(function, versions())
        with _Submitted(self._connected) as submitted:
            waiting = enumerate(items)

            def submit(count: int) -> None:
                for index, item in islice(waiting, count):
                    submitted.add(index, work, item)

            submit(AHEAD * self.slots)
            for index, future in submitted:
                submit(1)
                yield index, _result(future)

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Applies the function, and merges by twos where results are; see `Engine.reduce`."""
        if not items:
            raise ValueError("there are no items to reduce")
        work = _Work(function, versions())
        merged: list[Result] = []
        with _Submitted(self._connected) as submitted:
            waiting, alone = enumerate(items), None

            def submit(count: int) -> None:
                for index, item in islice(waiting, count):
                    submitted.add((index, 1), work, item)

            submit(AHEAD * self.slots)
            for (index, count), future in submitted:
                _require_done(future)
                if count == 1:
                    submit(1)
                    done(index)
                if count >= GROUP:
                    merged = [reduce(merge, [*merged, _result(future)])]
                elif alone is None:
                    alone = count, future
                else:
                    both = alone[0] + count
                    submitted.add((index, both), merge, alone[1], future, priority=1)
                    alone = None
            if alone is not None:
                merged = [reduce(merge, [*merged, _result(alone[1])])]
        return merged[0]


class _Submitted:
    """What workers were given and have not been heard of, each with a tag."""

    def __init__(self, client: Client) -> None:
        from distributed import as_completed

        self._client = client
        self._completed = as_completed(loop=client.loop)
        self._tags: dict[str, Any] = {}

    def __enter__(self) -> _Submitted:
        return self

    def __exit__(self, *exception: object) -> None:
        """Drops what is not finished."""
        if self._tags:
            with suppress(Exception):  # who is not there has dropped it
                self._client.cancel(list(self._tags), force=True)

    def add(
        self, tag: Any, function: Callable[..., Any], *arguments: Any, priority: int = 0
    ) -> None:
        future: Future = self._client.submit(function, *arguments, pure=False, priority=priority)
        self._tags[future.key] = tag
        self._completed.add(future)

    def __iter__(self) -> Iterator[tuple[Any, Future]]:
        for future in self._completed:
            yield self._tags.pop(future.key), future


@dataclass(frozen=True)
class _Work(Generic[Item, Result]):
    """A function as workers apply it: only where it computes what it computes here."""

    function: Callable[[Item], Result]
    versions: Mapping[str, str]

    def __call__(self, item: Item) -> Result:
        for name, found in versions().items():
            if found != self.versions[name]:
                raise InputError(
                    f"a Dask worker has {_differing(name, found, self.versions[name])}, so that "
                    "results could differ; install the same versions"
                )
        return apply(self.function, item)


def _differing(name: str, there: str, here: str) -> str:
    """What of `sweep.base.provenance` a worker has, and what this process, in words."""
    if name == "sources":
        return "other code of sweep than this process"
    return f"{name} {there} and this process {here}"


def _require_done(future: Future) -> None:
    """Raises what a worker raised, or says why there is no result."""
    from distributed import KilledWorker

    if future.status == "finished":
        return
    error = future.exception(timeout=workers.PATIENCE) if future.status == "error" else None
    if error is None:
        raise InputError(GONE)
    if isinstance(error, KilledWorker):
        raise InputError(
            "one item of the work has killed every Dask worker that tried it, maybe for want of "
            "memory; give fewer workers, or less to each"
        )
    raise error


def _result(future: Future) -> Any:
    """What a worker made, brought here."""
    _require_done(future)
    try:
        return future.result(timeout=None)
    finally:
        future.release()
