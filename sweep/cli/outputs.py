"""Files that a command writes: checked before anything is computed, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep import figures
from sweep.base import tables
from sweep.base.errors import InputError
from sweep.base.files import require_free, staged, system_errors
from sweep.base.records import plain
from sweep.optima.records import Optimum

if TYPE_CHECKING:
    import xarray as xr  # 0.3 s, and most commands that write need none of it


def require_outputs(
    data: Path | None,
    out: Path | None,
    figure: Path | None,
    force: bool,
    animation: Path | None = None,
) -> None:
    """Rejects outputs that cannot be written, before anything is computed for them."""
    outputs = {"the result": out, "the figure": figure, "the animation": animation}
    require_apart([data], outputs, force=force)


def require_apart(
    inputs: Sequence[Path | None], outputs: Mapping[str, Path | None], *, force: bool
) -> None:
    """Rejects outputs that cannot be written, or would overwrite an input or another output.

    Args:
        inputs: files that the command reads; None stands for none.
        outputs: paths by what an error message calls them; None is not written.
        force: overwrites existing files.

    Raises:
        InputError: names the output and the reason.
    """
    taken: dict[Path, str] = {}
    for what, path in outputs.items():
        if path is None:
            continue
        require_free(path, force=force)
        for data in inputs:
            if data is not None and path.exists() and data.exists() and path.samefile(data):
                raise InputError(f"{path}: holds the data and is not overwritten")
        if what == "the figure":
            figures.require_format(path)
        if what == "the animation":
            figures.require_movie(path)
        other = taken.setdefault(path.absolute(), what)
        if other != what:
            raise InputError(f"{path}: cannot be both {other} and {what}")


def make_directory(path: Path) -> None:
    """Makes a directory and its parents, if they do not exist."""
    with system_errors(path, "made"):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def folder(path: Path | None, files: Sequence[Path], *, force: bool) -> Iterator[None]:
    """Makes a directory for files that the block writes, and removes it if the block fails.

    Does nothing if the path is None.

    Raises:
        InputError: the directory cannot be made, or one of the files cannot be written.
    """
    if path is None:
        yield
        return
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    make_directory(path)
    try:
        for file in files:
            require_free(file, force=force)
        yield
    except BaseException:
        for directory in missing:
            with suppress(OSError):
                directory.rmdir()
        raise


@contextmanager
def together(files: Sequence[Path], *, force: bool) -> Iterator[list[Path]]:
    """Temporary paths, which are moved to `files` once the block has succeeded.

    Raises:
        InputError: one of the files cannot be written; then none is.
    """
    with ExitStack() as stack:
        partial = [stack.enter_context(staged(file, force=force)) for file in files]
        try:
            yield partial
        except InputError as error:
            # The user named the file, not the temporary one beside it.
            text = str(error)
            for path, file in zip(partial, files, strict=True):
                text = text.replace(str(path), str(file))
            raise InputError(text) from None


def draw(panels: Sequence[tuple[str, xr.Dataset, Optimum]], path: Path, *, force: bool) -> None:
    """Draws landscapes with their optima, several side by side."""
    _, landscape, optimum = panels[0]
    single = len(panels) == 1
    figure = figures.landscapes(landscape, optimum) if single else figures.small_multiples(panels)
    figures.write(figure, path, force=force)


def animate(
    panels: Sequence[tuple[str, xr.Dataset, Optimum]],
    path: Path,
    progress: bool | None,
    *,
    force: bool,
) -> None:
    """Animates landscapes with their optima, as n grows."""
    figures.write_movie(figures.growing(panels), path, force=force, progress=progress)


def write_document(path: Path, value: Any, *, force: bool) -> None:
    """Writes a record as a JSON document."""
    with staged(path, force=force) as partial:
        partial.write_text(document(value) + "\n", encoding="utf-8")


def print_tables(shown: Iterable[tables.Table]) -> None:
    """Prints tables as wide as the terminal is."""
    print(tables.text(shown, terminal=True), flush=True)


def print_json(value: Any) -> None:
    """Prints a record as one JSON document."""
    print(document(value))


def document(value: Any) -> str:
    """A record as the text of a JSON document."""
    return json.dumps(plain(value), allow_nan=False)
