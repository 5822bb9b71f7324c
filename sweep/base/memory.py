"""How much memory a computation may take."""

from __future__ import annotations

from sweep.base.errors import InputError

MEMORY_BUDGET = 512 * 2**20  # default bytes of working memory, beyond input and output
LEAST_BUDGET = 2**20  # bytes of working memory below which no plan fits
RESULT_LIMIT = 4 * 2**30  # bytes that the variables of one result may take in memory


def require_room(subject: str, needed: float, remedy: str, purpose: str = "") -> None:
    """Refuses what would take more than RESULT_LIMIT bytes, with what to do instead."""
    if needed > RESULT_LIMIT:
        raise InputError(
            f"{subject} would take {needed / 2**30:.1f} GiB of memory{purpose}, more than the "
            f"limit of {RESULT_LIMIT / 2**30:.0f} GiB; {remedy}"
        )
