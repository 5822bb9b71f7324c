"""A landscape in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


def landscape_lines(
    heading: str, landscape: xr.Dataset, between: str, *, on_disk: bool
) -> Iterator[str]:
    """How a landscape was computed, and where its metrics are lowest and highest.

    Args:
        heading: names what the landscape is of.
        landscape: its metrics.
        between: separates the heading from the rest.
        on_disk: whether the landscape is read from a store, whose attributes hold the extremes.
    """
    cells = f"{landscape.sizes['a']} x {landscape.sizes['b']} cells"
    yield f"{heading}{between}{cells}{_method(landscape.attrs)}"
    names = [str(name) for name in landscape.data_vars if name != "correct"]
    width = max(len(name) for name in names)
    for name in names:
        ends = _ends_known(landscape[name]) if on_disk else _ends(landscape[name])
        for end, (value, a, b, cells) in ends.items():
            among = f" and {cells - 1} more" if cells > 1 else ""
            yield f"  {end:8}{name:{width}}  {value:.10g} at a = {a:g}, b = {b:g}{among}"
    if "accuracy_lower" in names and not on_disk:
        known = int(landscape.accuracy.notnull().sum())
        yield (
            f"  accuracy is known in {known} of the cells, and in all others between two numbers"
        )


def _ends_known(metric: xr.DataArray) -> dict[str, tuple[float, float, float, int]]:
    """What `_ends` finds, known since it was written."""
    attrs, parts = metric.attrs, ("", "_a", "_b", "_cells")
    return {
        end: tuple(attrs[end + part] for part in parts)
        for end in ("lowest", "highest")
        if end in attrs
    }


def _ends(metric: xr.DataArray) -> dict[str, tuple[float, float, float, int]]:
    """The lowest and the highest value, a and b of the first cell that has it, and of how many.

    Nothing where all are nan, as of counts at no cut that a sketch counts at.
    """
    if metric.isnull().all():
        return {}
    found = {}
    for end, index in {"lowest": metric.argmin(...), "highest": metric.argmax(...)}.items():
        cell = metric[index]
        ties = int((metric == cell).sum())
        found[end] = cell.item(), cell.a.item(), cell.b.item(), ties
    return found


def _method(attrs: dict[str, Any]) -> str:
    """How smooth metrics were computed, and how wrong they can be."""
    if "method" not in attrs:
        return ""
    seen = f", {attrs['observed_error']:.0e} seen" if "observed_error" in attrs else ""
    return f", {attrs['method']}: error at most {attrs['error_bound']:.0e}{seen}"
