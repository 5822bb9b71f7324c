"""What a command writes: refused beforehand where it could not be written, else written whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.base import storage
from sweep.base.errors import InputError
from sweep.base.records import plain

if TYPE_CHECKING:
    import xarray as xr

    from sweep.optima.records import Optimum


def require_outputs(
    data: Path | None,
    out: Path | None,
    figure: Path | None,
    force: bool,
    animation: Path | None = None,
) -> None:
    """Refuses outputs that could not be written before anything is computed for them."""
    outputs = {"the result": out, "the figure": figure, "the animation": animation}
    require_apart([data], outputs, force=force)


def require_apart(
    inputs: Sequence[Path | None], outputs: Mapping[str, Path | None], *, force: bool
) -> None:
    """Refuses outputs that could not be written, or are files of data or of another output.

    Args:
        inputs: files that are read, if any.
        outputs: what is written where, if it is, by what it is in a sentence.
        force: overwrites what is there.

    Raises:
        InputError: says which one, and why.
    """
    taken: dict[Path, str] = {}
    for what, path in outputs.items():
        if path is None:
            continue
        storage.require_free(path, force=force)
        for data in inputs:
            if data is not None and path.exists() and data.exists() and path.samefile(data):
                raise InputError(f"{path}: is the file of data and stays as it is")
        if what == "the figure":
            from sweep import figures

            figures.require_format(path)
        if what == "the animation":
            from sweep import figures

            figures.require_movie(path)
        other = taken.setdefault(path.absolute(), what)
        if other != what:
            raise InputError(f"{path}: cannot be {other} and {what} at once")


def make_directory(path: Path) -> None:
    """Makes a directory, its parents included, if it is not there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made a directory ({error.strerror})") from None


@contextmanager
def folder(path: Path | None, files: Sequence[Path], *, force: bool) -> Iterator[None]:
    """A directory for files that the block writes, unless there is none to be written.

    One that was made for them is removed if the block fails.

    Raises:
        InputError: it cannot be made, or one of the files could not be written.
    """
    if path is None:
        yield
        return
    made = [one for one in (path, *path.parents) if not one.exists()]
    make_directory(path)
    try:
        for file in files:
            storage.require_free(file, force=force)
        yield
    except BaseException:
        for one in made:
            with suppress(OSError):
                one.rmdir()
        raise


@contextmanager
def together(files: Sequence[Path], *, force: bool) -> Iterator[list[Path]]:
    """Paths to write to, all of which are moved to `files` once the block has succeeded.

    Raises:
        InputError: one of the files cannot be written; then none is.
    """
    with ExitStack() as stack:
        partial = [stack.enter_context(storage.staged(file, force=force)) for file in files]
        try:
            yield partial
        except InputError as error:
            # Whoever asked for a file knows nothing of the one beside it.
            text = str(error)
            for path, file in zip(partial, files, strict=True):
                text = text.replace(str(path), str(file))
            raise InputError(text) from None


def draw(panels: Sequence[tuple[str, xr.Dataset, Optimum]], path: Path, *, force: bool) -> None:
    """Draws landscapes with their optima: the one there is, or several beside each other."""
    from sweep import figures

    _, only, best = panels[0]
    one = len(panels) == 1
    drawn = figures.landscapes(only, best) if one else figures.small_multiples(panels)
    figures.write(drawn, path, force=force)


def animate(
    panels: Sequence[tuple[str, xr.Dataset, Optimum]],
    path: Path,
    progress: bool | None,
    *,
    force: bool,
) -> None:
    """Draws landscapes with their optima one after the other, as n grows."""
    from sweep import figures

    figures.write_movie(figures.growing(panels), path, force=force, progress=progress)


def write_document(path: Path, value: Any, *, force: bool) -> None:
    """Writes a record as a JSON document."""
    with storage.staged(path, force=force) as partial:
        partial.write_text(document(value) + "\n", encoding="utf-8")


def print_lines(lines: Iterable[str]) -> None:
    """Prints the lines of a report."""
    for line in lines:
        print(line)


def print_json(value: Any) -> None:
    """Prints a record as one JSON document."""
    print(document(value))


def document(value: Any) -> str:
    """A record as the text of a JSON document."""
    return json.dumps(plain(value), allow_nan=False)
