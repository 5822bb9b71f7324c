"""Progress bars for long work, shown on terminals unless the caller decides otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

DELAY = 2.0  # seconds before a bar appears; shorter work shows none

Step = Callable[[int], None]
"""Receives the units of work done since its last call."""


def ignore(_: int) -> None:
    """A step that does nothing."""


@contextmanager
def bar(
    what: str, total: int | None, unit: str, show: bool | None, *, done: int = 0, scale: bool = True
) -> Iterator[Step]:
    """Shows a bar on stderr while the block runs.

    Args:
        what: name of the work.
        total: units of work; None if unknown.
        unit: name of a unit.
        show: None shows the bar if stderr is a terminal, True always, False never.
        done: units done before; the rate does not count them.
        scale: whether to shorten large numbers, as in 12.3M.

    Yields:
        The step that moves the bar.
    """
    if show is False:  # tqdm would create a lock that killed workers leave behind
        yield ignore
        return
    with tqdm(
        desc=what,
        total=total,
        unit=f" {unit}",
        unit_scale=scale,
        initial=done,
        delay=DELAY,
        disable=False if show else None,
        leave=False,
        dynamic_ncols=True,
    ) as shown:

        def step(done: int) -> None:
            shown.update(done)

        yield step
