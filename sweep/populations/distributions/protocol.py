"""The interface of a law of x."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Distribution(Protocol):
    """A law of x. All methods are elementwise, for arrays of NumPy or of JAX in float64."""

    @property
    def support(self) -> tuple[float, float]:
        """(lowest, highest) value of x; they may be infinite."""
        ...

    @property
    def breaks(self) -> tuple[float, ...]:
        """Where the density jumps or has a kink, ascending, finite ends of the support included."""
        ...

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u, for u in [0, 1]."""
        ...

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        ...

    def survival(self, x: Any) -> Any:
        """Probability above x: 1 - cdf without its cancellation."""
        ...

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x, -inf where the density is 0."""
        ...

    def density(self, x: Any) -> Any:
        """Density at x."""
        ...
