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
def bar(what: str, total: int, unit: str, show: bool | None) -> Iterator[Step]:
    """A bar on stderr while the block runs.

    Args:
        what: is being done.
        total: units of work.
        unit: what they are called.
        show: None shows it if stderr is a terminal, True anywhere, False never.

    Yields:
        The step that moves it.
    """
    disable = None if show is None else not show
    with tqdm(
        desc=what,
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        delay=DELAY,
        disable=disable,
        leave=False,
        dynamic_ncols=True,
    ) as shown:

        def step(done: int) -> None:
            shown.update(done)

        yield step
