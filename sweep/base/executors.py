"""Engines: who does work of many independent items; here, this process, one after another.

Whoever has such work (tasks of a sweep, shards of a sketch) gives an `Engine` a function and the
items, and does not know where it runs. Results are those of `Serial`, whichever engine it is, to
the last bit: so every item is worked on with one thread of BLAS, whose sums depend on how many
there are. `sweep.cluster` has the engine of several processes and machines.
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
    """Does work in a `with` block; what it needs is there from its begin to its end.

    Functions and items are pickled where processes do the work: functions of modules, or
    `functools.partial` of them, and small items. What a function raises is raised to the caller.
    """

    @property
    def slots(self) -> int:
        """Items that are worked on at once."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to every item.

        An item is worked on again if its worker dies, so a function that writes must write the
        same again. Closing the iterator drops what is not finished.

        Yields:
            The number of an item from 0 and its result, in the order in which they finish.
        """
        ...

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Applies the function to every item, and merges the results two by two.

        Args:
            function: of one item.
            items: at least one.
            merge: must not depend on the order or the grouping of what it merges, and must leave
                both as they are.
            done: is told the number of every item that is done, from 0.

        Raises:
            ValueError: there are no items.
        """
        ...


class Serial:
    """This process, one item after another."""

    slots = 1

    def __enter__(self) -> Serial:
        """Needs nothing."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leaves nothing."""

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Applies the function to every item once its result is asked for, in their order."""
        for index, item in enumerate(items):
            yield index, apply(function, item)

    def reduce(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        merge: Callable[[Result, Result], Result],
        done: Callable[[int], None] = ignore,
    ) -> Result:
        """Merges each result into those before it, so that two are there at once."""
        if not items:
            raise ValueError("there are no items to reduce")
        merged = apply(function, items[0])
        done(0)
        for index, item in enumerate(items[1:], 1):
            merged = merge(merged, apply(function, item))
            done(index)
        return merged


def apply(function: Callable[[Item], Result], item: Item) -> Result:
    """The function of an item, as every engine computes it."""
    with threadpool_limits(1, user_api="blas"):
        return function(item)
