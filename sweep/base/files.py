"""Safe writing of files, and one sentence for whatever the operating system refuses.

`replace` writes the files of a run. `staged` writes an output of the user's choice: an error, a
full disk or Ctrl-C leaves what was there before.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweep.base.errors import InputError

PARTIAL = ".partial"  # suffix of an incomplete file; a killed process may leave one behind


@contextmanager
def system_errors(
    path: str | os.PathLike[str], action: str = "written", remedy: str = ""
) -> Iterator[None]:
    """Turns an OSError of the block into an `InputError` that begins with the path.

    Args:
        path: what the block reads or writes.
        action: what the block does to it, as in "cannot be written".
        remedy: what to do about the error.

    Raises:
        InputError: the block raised an OSError.
    """
    advice = f"; {remedy}" if remedy else ""
    try:
        yield
    except BrokenPipeError:  # the reader of standard output has closed its end
        raise
    except OSError as error:
        reason = f"cannot be {action} ({error.strerror or error})"
        if action == "read" and isinstance(error, FileNotFoundError):
            reason = "no such file"
        if action == "read" and isinstance(error, IsADirectoryError):
            reason = "is a directory"
        raise InputError(f"{path}: {reason}{advice}") from None


def replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Writes a file beside its destination and moves it there.

    A file with a checksum need not be `durable`, that is on the disk before the function returns:
    its checksum reveals a loss after a power failure.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def require_free(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Rejects a destination that cannot be written, before the caller computes anything for it."""
    path = _target(path)
    parent = path.parent
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; it is overwritten only with --force")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: is neither a file nor a directory and stays as it is")
    if path.is_dir() and not (path.suffix == ".zarr" and (path / "zarr.json").is_file()):
        raise InputError(f"{path}: is a directory and stays as it is; choose another name")
    if not parent.exists():
        raise InputError(f"{path}: cannot be written because there is no directory {parent}")
    if not parent.is_dir():
        raise InputError(f"{path}: cannot be written because {parent} is not a directory")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{path}: cannot be written because {parent} is read-only")


@contextmanager
def staged(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yields a hidden path of the same suffix, and moves it to `path` when the block succeeds."""
    path = _target(path)
    require_free(path, force=force)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    former = path.with_name(f".{path.stem}.{os.getpid()}.former{path.suffix}")
    try:
        with system_errors(path):
            yield partial
            # os.replace cannot replace a directory, nor a file by a directory: first move it aside.
            if path.is_dir() or (partial.is_dir() and path.exists()):
                os.replace(path, former)
            os.replace(partial, path)
    finally:
        if former.exists() and not path.exists():
            os.replace(former, path)
        for leftover in (partial, former):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


def _target(path: str | os.PathLike[str]) -> Path:
    """The path, or the file that a link points to: writing keeps the link."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path
