"""Safe writing of files: each appears complete or not at all, or grows by complete lines.

`replace` and `Lines` write the files of a run. `staged` writes an output of the user's choice: an
error, a full disk or Ctrl-C leaves what was there before.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweep.base.errors import InputError

PARTIAL = ".partial"  # suffix of an incomplete file; a killed process may leave one behind


def replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Writes a file beside its destination and moves it there.

    Args:
        path: destination.
        content: content of the file.
        durable: whether to wait until the content is on the disk. A file with a checksum need not
            wait: its checksum reveals a loss after a power failure.
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


class Lines:
    """A text file that grows by complete lines.

    Opening the file removes an incomplete last line, which a killed process may have left.
    """

    def __init__(self, path: Path) -> None:
        _remove_incomplete_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def append(self, line: str) -> None:
        """Adds a line by one write; removes it again if the disk has no room for all of it."""
        content = f"{line}\n".encode()
        before = os.fstat(self._file).st_size
        written = os.write(self._file, content)
        if written < len(content):
            os.ftruncate(self._file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


def _remove_incomplete_line(path: Path, block_bytes: int = 2**16) -> None:
    """Truncates a file after its last line break, which it searches block by block."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - block_bytes)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)


@contextmanager
def write_errors(path: Path, remedy: str = "") -> Iterator[None]:
    """Turns an OSError of the block into an `InputError` that names the path.

    Args:
        path: what the block writes.
        remedy: what to do about the error.

    Raises:
        InputError: the block raised an OSError.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of the events has closed its end
        raise
    except OSError as error:
        raise _write_error(error, path, remedy) from None


def _write_error(error: OSError, path: Path, remedy: str = "") -> InputError:
    advice = f"; {remedy}" if remedy else ""
    return InputError(f"{path}: cannot be written ({error.strerror or error}){advice}")


def require_free(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Rejects a destination that cannot be written, before the caller computes anything for it.

    Raises:
        InputError: the path exists and `force` is false, or it is a directory other than a Zarr
            store; or its parent does not exist, is not a directory, or is read-only.
    """
    path = _target(path)
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; it is overwritten only with --force")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: is neither a file nor a directory and stays as it is")
    if path.is_dir() and not (path.suffix == ".zarr" and (path / "zarr.json").is_file()):
        raise InputError(f"{path}: is a directory and stays as it is; choose another name")
    parent = path.parent
    if not parent.exists():
        raise InputError(f"{path}: cannot be written because there is no directory {parent}")
    if not parent.is_dir():
        raise InputError(f"{path}: cannot be written because {parent} is not a directory")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{path}: cannot be written because {parent} is read-only")


@contextmanager
def staged(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yields a hidden path of the same suffix, and moves it to `path` when the block succeeds.

    Args:
        path: destination.
        force: whether to overwrite what is there.

    Raises:
        InputError: the destination is not free, or writing failed; no partial file remains.
    """
    path = _target(path)
    require_free(path, force=force)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    former = path.with_name(f".{path.stem}.{os.getpid()}.former{path.suffix}")
    try:
        yield partial
        # os.replace cannot put anything in the place of a directory, so that moves aside first.
        if path.is_dir() or (partial.is_dir() and path.exists()):
            os.replace(path, former)
        os.replace(partial, path)
    except OSError as error:
        raise _write_error(error, path) from None
    finally:
        if former.exists() and not path.exists():
            os.replace(former, path)
        _remove(partial)
        _remove(former)


def _target(path: str | os.PathLike[str]) -> Path:
    """The path, or the file that a link points to: writing keeps the link."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
