"""An experiment with networks: done, written and printed; and what several of them print alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from sweep.base import storage
from sweep.cli.outputs import document, folder, print_json, together

if TYPE_CHECKING:
    import xarray as xr

    from sweep.training.statistics import Share


@runtime_checkable
class ExperimentResult(Protocol):
    """What came of an experiment."""

    @property
    def table(self) -> xr.Dataset:
        """All that was recorded."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The rest, as plain Python values."""
        ...


Result = TypeVar("Result", bound=ExperimentResult)


def perform(
    experiment: Callable[[], Result],
    files: Sequence[Path],
    write: Callable[[Result, list[Path]], None],
    show: Callable[[Result], None],
    *,
    force: bool,
    as_json: bool,
) -> Result:
    """Does an experiment, writes its files, all or none, and then prints what came of it.

    Args:
        experiment: does it.
        files: what is written: the document, the dataset and others, all in one directory; or none.
        write: writes the others.
        show: prints the result.
        force: overwrites what is there.
        as_json: prints one JSON document in place of that.
    """
    with folder(files[0].parent if files else None, files, force=force):
        found = experiment()
        content = found.to_dict() | {"written": [str(path) for path in files]}
        if files:
            with together(files, force=force) as partial:
                partial[0].write_text(document(content) + "\n", encoding="utf-8")
                storage.save(found.table, partial[1])
                write(found, partial[2:])
    if as_json:
        print_json(content)
        return found
    show(found)
    for path in files:
        print(f"written: {path}")
    return found


def settings(hyperparameters: Mapping[str, Any]) -> str:
    """Hyperparameters in words."""
    return ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in hyperparameters.items())


def shares(findings: Mapping[str, Share], beyond: float = 0.0) -> str:
    """Codes of findings, each with the share of the networks, where that is beyond some share."""
    shown = (f"{code} {one.value:.0%}" for code, one in findings.items() if one.value > beyond)
    return ", ".join(shown)
