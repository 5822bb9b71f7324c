"""The whole page as text, and the file it becomes."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path

from sweep.base.errors import InputError
from sweep.base.files import staged
from sweep.diagnosis.report import Diagnosis
from sweep.report.page import figures, tables
from sweep.report.page.markup import Html, plural, together
from sweep.report.page.payload import drawn, script_text
from sweep.report.page.tables import findings

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
    plotly, script = _plotly(), _shipped("page.js")
    parts = {
        "policy": _policy(plotly, script),
        "title": together(title),
        "style": _shipped("page.css"),
        "about": together(_about(diagnosis)),
        "findings": findings(diagnosis),
        "numbers": together(
            tables.key_numbers(diagnosis), tables.exact(diagnosis.exact), tables.split(diagnosis)
        ),
        "landscape": figures.landscape(diagnosis, exact),
        "thresholds": tables.thresholds(diagnosis),
        "concentration": together(
            tables.concentration(diagnosis), figures.lorenz(), tables.worst(diagnosis)
        ),
        "classes": tables.by_class(diagnosis),
        "values": script_text(values),
        "plotly": plotly,
        "script": script,
    }
    # In one pass, so that nothing is looked for in what has been put in.
    return re.sub(r"<!-- (\w+) -->", lambda slot: parts[slot[1]], _shipped("page.html"))


def _about(diagnosis: Diagnosis) -> str:
    weighted = ", weighted" if diagnosis.weighted else ""
    about = f"{plural(diagnosis.n, 'sample')}{weighted}, {len(diagnosis.classes)} classes."
    if not diagnosis.replicates:
        return about
    return (
        f"{about} Intervals are from {diagnosis.replicates:,} bootstrap samples with seed "
        f"{diagnosis.seed}."
    )


@cache
def _shipped(name: str) -> Html:
    return Html(resources.files("sweep.report.page").joinpath(name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Html:
    from plotly.offline import get_plotlyjs  # loads slowly: only whoever writes a page waits

    return Html(get_plotlyjs())


def _policy(*scripts: str) -> Html:
    """What a browser may do with the page: run these scripts and no other, and load nothing."""
    allowed = " ".join(
        f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return Html(
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    )
