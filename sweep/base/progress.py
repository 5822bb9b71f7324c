"""Progress bars for what takes long, on terminals only unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

DELAY = 2.0
"""Seconds before a bar appears: what is done by then shows nothing."""

Step = Callable[[int], None]
"""Told how many units of work were done since it was last told."""


def ignore(_: int) -> None:
    """A step that nobody watches."""


@contextmanager
def bar(
    what: str, total: int | None, unit: str, show: bool | None, *, done: int = 0, scale: bool = True
) -> Iterator[Step]:
    """A bar on stderr while the block runs.

    Args:
        what: is being done.
        total: units of work; None if nobody knows.
        unit: what they are called.
        show: None shows it if stderr is a terminal, True anywhere, False never.
        done: units that were done before, which say nothing of the rate.
        scale: whether to shorten large numbers: 12.3M.

    Yields:
        The step that moves it.
    """
    if show is False:  # tqdm would make a lock for it, which workers that are killed leave behind
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
