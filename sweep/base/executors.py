"""Engines run work that consists of many independent items; `Serial` runs it in this process.

Callers (tasks of a sweep, shards of a sketch) give an `Engine` a function and the items, and need
not know where the work runs. Every engine returns the results of `Serial` to the last bit: each
item runs with one BLAS thread, because BLAS sums depend on the number of threads. `sweep.cluster`
provides the engine for several processes and machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from threadpoolctl import threadpool_limits

from sweep.base.progress import ignore

Item = TypeVar("Item")
Result = TypeVar("Result")


@runtime_checkable
class Engine(Protocol):
    """Runs work inside a `with` block, which starts and stops whatever the engine needs.

    Engines with several processes pickle functions and items: use functions of modules, or
    `functools.partial` of them, and small items. The caller receives what a function raises.
    """

    @property
    def slots(self) -> int:
        """Number of items that run at the same time."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to every item.

        An item runs again if its worker dies, so a function that writes must be able to write the
        same output again. Closing the iterator drops unfinished items.

        Yields:
            The index of an item and its result, in the order in which the items finish.
        """
        ...

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Applies the function to every item and merges the results in pairs.

        Args:
            function: of one item.
            items: at least one.
            merge: of two results; must not depend on order or grouping, and must not change its
                arguments.
            done: receives the index of each item that has finished.

        Raises:
            ValueError: there are no items.
        """
        ...


class Serial:
    """Runs one item after another in this process."""

    slots = 1

    def __enter__(self) -> Serial:
        """Starts nothing."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stops nothing."""

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to each item, in order, when the caller asks for its result."""
        for index, item in enumerate(items):
            yield index, apply(function, item)

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Merges each result into the previous ones, so that memory holds two at most."""
        if not items:
            raise ValueError("there are no items to reduce")
        merged: list[Result] = []  # empty, or the sum so far
        for index, result in self.run(function, items):
            merged = [merge(*merged, result) if merged else result]
            done(index)
        return merged[0]


def apply(function: Callable[[Item], Result], item: Item) -> Result:
    """Applies the function to an item with one BLAS thread, as every engine does."""
    with threadpool_limits(1, user_api="blas"):
        return function(item)
