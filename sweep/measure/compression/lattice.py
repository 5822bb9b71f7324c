"""The lattice: the bins into which n points are summed.

The bins are those of a short floating-point format: 2^(bits+1) bins of equal width on either side
of 0, then octave after octave of 2^bits bins, each bin twice as wide as in the octave before. Near
0 the bins are fine enough for the steepest slope. A point far from 0 is near the cut only at a
smaller slope, so an outlier at 1e8 costs 27 octaves of bins, not 1e8 bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

MOMENTS = 4  # sums kept in each bin: the error falls with the fourth power of the bin's width
TINY = float(np.finfo(np.float64).tiny)  # the smallest normal float64
CHUNK = 2**18  # most points in one call on each device; larger chunks are no faster


@dataclass(frozen=True)
class Lattice:
    """Bins over a range of x."""

    exponent: int  # bins next to 0 are 2^exponent wide, in units of x
    bits: int  # an octave has 2^bits bins
    group: int  # 2^group neighbouring bins of one octave form a panel
    first: int  # number of the first panel; panel 0 begins at 0, panel -1 ends there
    panels: int  # number of panels

    @classmethod
    def over(cls, low: float, high: float, exponent: int, bits: int, group: int) -> Lattice:
        """The lattice whose panels cover [low, high]."""
        if -TINY < high < 0:
            high = 0.0  # a device that flushes subnormal numbers to 0 puts such points into bin 0

        def panel(x: float) -> int:
            """As `scatter._bin_of` computes bins on a device."""
            size = math.ldexp(abs(x), -exponent)
            octave = max(math.frexp(size)[1] - 1 - bits, 0)
            number = (octave << bits) + int(math.ldexp(size, -octave))
            return (-1 - number if x < 0 else number) >> group

        return cls(exponent, bits, group, panel(low), panel(high) - panel(low) + 1)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.panels << self.group

    @cached_property
    def panel_ends(self) -> Float[np.ndarray, "k 2"]:
        """Lower and upper end of each panel, shape (panels, 2)."""
        number = np.arange(self.first, self.first + self.panels)
        negative = number < 0
        number = np.where(negative, -1 - number, number)  # panel -1 mirrors panel 0
        per_octave = 1 << (self.bits - self.group)
        # The uniform bins on either side of 0 fill two octaves' worth of panels, hence the -1.
        octave = np.maximum(number // per_octave - 1, 0)
        width = np.ldexp(1.0, self.exponent + self.group + octave)
        inner = (number - octave * per_octave) * width  # the end nearer to 0
        low = np.where(negative, -inner - width, inner)
        high = np.where(negative, -inner, inner + width)
        return np.stack([low, high], axis=1)

    @property
    def edges(self) -> Float[np.ndarray, " k"]:
        """The ends of all bins, ascending, shape (bins + 1,)."""
        low, high = self.panel_ends.T
        width = (high - low) / (1 << self.group)
        lower_ends = low[:, None] + width[:, None] * np.arange(1 << self.group)
        return np.append(lower_ends.ravel(), high[-1])

    @property
    def middles(self) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]:
        """The centre and half the width of each bin."""
        edges = self.edges
        return (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2

    def panel_half_width(self, window: float) -> float:
        """Half-width of a panel of a window of that half-width: it has 2 * 2^(bits + 1 - group)."""
        return window / (4 << (self.bits - self.group))

    def bin_half_width(self, window: float) -> float:
        """Half-width of a bin of the smallest window, which has 2 * 2^(bits + 1) of them."""
        return window / 2 ** (self.bits + 2)
