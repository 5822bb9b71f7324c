"""The whole page as text, and the file it becomes."""

from __future__ import annotations

import math
import os
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from sweep.base.errors import InputError
from sweep.base.files import staged
from sweep.base.tables import DASH, number, rendered
from sweep.diagnosis import tables
from sweep.diagnosis.curves import optimal
from sweep.diagnosis.report import Diagnosis
from sweep.report.payload import drawn, script_text

SEVERITY = {"critical": "Critical", "warning": "Warning", "info": "Note"}  # as the page names them

FORMATS = (".html", ".htm")
"""Suffixes of a page."""


def write(
    diagnosis: Diagnosis, path: str | os.PathLike[str], *, title: str, force: bool = False
) -> None:
    """Writes the page of a diagnosis: one file, of at most 6 MB, that needs no network.

    Args:
        diagnosis: what the page is about.
        path: where; ends in .html or .htm.
        title: of the page, any text.
        force: overwrites what is there.

    Raises:
        InputError: the suffix is another, or the destination cannot be written.
    """
    require_format(path)
    with staged(path, force=force) as partial:
        partial.write_text(document(diagnosis, title), encoding="utf-8")


def require_format(path: str | os.PathLike[str]) -> None:
    """Refuses a path that is not one of a page.

    Raises:
        InputError: its suffix is not one of FORMATS.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a page is written as {' or '.join(FORMATS)}; use such a name")


def document(diagnosis: Diagnosis, title: str) -> str:
    """The text of the page."""
    values, exact = drawn(diagnosis)
    best = optimal(diagnosis)
    plotly, script = _plotly(), _shipped("page.js")
    return rendered(
        "report/page.html.j2",
        diagnosis=diagnosis,
        title=title,
        about=tables.about(diagnosis),
        tables=tables.numbers(diagnosis),
        severity=SEVERITY,
        anything=anything,
        optimum=best if math.isfinite(best[0]) else None,
        exact=exact,
        policy=_policy(plotly, script),
        style=_shipped("page.css"),
        values=script_text(values),
        plotly=plotly,
        script=script,
    )


def anything(value: Any) -> str:
    """A value of any type that stands behind a finding."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {anything(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(anything, value))
    return DASH if value is None else str(value)


@cache
def _shipped(name: str) -> str:
    return resources.files("sweep.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # loads slowly: only whoever writes a page waits

    return get_plotlyjs()


def _policy(*scripts: str) -> str:
    """What a browser may do with the page: run these scripts and no other, and load nothing."""
    allowed = " ".join(
        f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    )
