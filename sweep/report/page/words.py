"""Numbers as text: what is no number is a dash, and the reason stands beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from sweep.diagnosis.report import Estimate

DASH = "\N{EN DASH}"
INFINITY = "\N{INFINITY}"

Form = Callable[[float], str]
"""How a number is written."""


def number(value: float) -> str:
    """Four significant digits, or more of a large number; a dash for nan."""
    return _finite(value, lambda v: f"{v:,.0f}" if 1e4 <= abs(v) < 1e9 else f"{v:.4g}")


def percent(value: float) -> str:
    """A fraction in percent, with four significant digits."""
    return _finite(value, lambda v: f"{100 * v:.4g}%")


def _finite(value: float, form: Form) -> str:
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return INFINITY if value > 0 else f"-{INFINITY}"
    return form(value)


def interval(estimate: Estimate, form: Form = number) -> str:
    """Both ends, or a dash and why there is none."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return f"{DASH} ({estimate.invalid or 'has no value'})"
    return f"{form(estimate.low)} to {form(estimate.high)}"


def anything(value: Any) -> str:
    """A number behind a finding, of whatever kind it is."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {anything(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(anything, value))
    return DASH if value is None else str(value)


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 sample", "2,000 samples"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
