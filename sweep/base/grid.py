"""The grid of parameters (a, b) over which a landscape is computed, and whether it fits in memory.

`sweep.base.ranges` makes the two axes from text or numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sweep.base.memory import require_room


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells {(a_i, b_j)} of a landscape."""

    a: Float[np.ndarray, " P"]  # slopes
    b: Float[np.ndarray, " Q"]  # intercepts

    @property
    def shape(self) -> tuple[int, int]:
        """(P, Q)."""
        return len(self.a), len(self.b)

    @property
    def cells(self) -> int:
        """P x Q."""
        return len(self.a) * len(self.b)

    def bytes_of(self, variables: int) -> int:
        """Bytes of a result with this many float64 or int64 values per cell."""
        return 8 * self.cells * variables

    def require_room(self, variables: int, instead: str = "") -> None:
        """Rejects a grid whose results do not fit into memory.

        Args:
            variables: float64 or int64 values per cell.
            instead: an alternative that the error message adds to "ask for fewer points".

        Raises:
            InputError: the results would take more than RESULT_LIMIT bytes.
        """
        subject = f"a grid of {len(self.a)} x {len(self.b)} = {self.cells:.3g} cells"
        remedy = f"ask for fewer points{instead}"
        require_room(subject, self.bytes_of(variables), remedy, " for its results")
