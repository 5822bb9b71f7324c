"""What a law of x can be asked."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Distribution(Protocol):
    """What a law of x can be asked, elementwise, of arrays of NumPy or of JAX in float64."""

    @property
    def support(self) -> tuple[float, float]:
        """The ends of the values that x can have; they may be infinite."""
        ...

    @property
    def breaks(self) -> tuple[float, ...]:
        """Where the density jumps or has a kink, finite ends of the support included; ascending."""
        ...

    def quantile(self, u: Any) -> Any:
        """The least x below which the probability is at least u, for u in [0, 1]."""
        ...

    def cdf(self, x: Any) -> Any:
        """Probability below x."""
        ...

    def survival(self, x: Any) -> Any:
        """Probability above x, 1 - cdf without its cancellation."""
        ...

    def log_density(self, x: Any) -> Any:
        """Logarithm of the density at x, -inf where there is none."""
        ...

    def density(self, x: Any) -> Any:
        """Density at x."""
        ...
