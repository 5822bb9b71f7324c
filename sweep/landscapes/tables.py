"""A landscape as a table: how it was computed, and where each metric is lowest and highest."""

from __future__ import annotations

from typing import Any

import xarray as xr

from sweep.base.grid import Grid
from sweep.base.tables import Table
from sweep.landscapes.out_of_core import described, extremes


def landscape_tables(
    heading: str, landscape: xr.Dataset, on_disk: bool = False
) -> tuple[Table, ...]:
    """How it was computed, then the lowest and the highest value of each metric.

    Args:
        heading: names the data of the landscape.
        landscape: its metrics.
        on_disk: whether it is a store whose attributes hold the extremes.
    """
    grid = Grid(landscape.a.values, landscape.b.values)
    cells = f"{landscape.sizes['a']} x {landscape.sizes['b']} cells"
    names = [str(name) for name in landscape.data_vars if name != "correct"]
    rows = []
    for name in names:
        metric = landscape[name]
        ends = metric.attrs if on_disk else described(grid, *extremes(metric.values))
        for end in ("lowest", "highest"):
            if end in ends:
                value, a, b, count = (ends[end + part] for part in ("", "_a", "_b", "_cells"))
                more = f" and {count - 1} more" if count > 1 else ""
                rows.append((f"{end} {name}", f"{value:.10g} at a = {a:g}, b = {b:g}{more}"))
    notes = []
    if "accuracy_lower" in names and not on_disk:
        exact = int(landscape.accuracy.notnull().sum())
        notes.append(f"accuracy is exact in {exact} of the cells, and bounded in all others")
    how = Table(title=heading, notes=(f"{cells}{_method(landscape.attrs)}",))
    return how, Table(rows=tuple(rows), notes=tuple(notes), words=2)


def _method(attrs: dict[str, Any]) -> str:
    """How smooth metrics were computed, and their largest possible error."""
    if "method" not in attrs:
        return ""
    observed = f", {attrs['observed_error']:.0e} seen" if "observed_error" in attrs else ""
    return f", {attrs['method']}: error at most {attrs['error_bound']:.0e}{observed}"
