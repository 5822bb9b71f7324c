"""Files that a run writes: each appears whole, or grows by whole lines; and why it could not."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweep.base.errors import InputError

PARTIAL = ".partial"
"""Suffix of a file that is not whole yet; one that is left over is of a process that was killed."""


def replace(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Writes a file beside its place and moves it there, so that there is never half of it.

    Args:
        path: its place.
        content: the whole of it.
        durable: whether to wait until it is on the disk. What has a checksum need not be: after a
            power failure it is seen not to be what was written.
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
    """A text file that grows by whole lines.

    A line that a killed process left without its end is cut off when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        _mend(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def append(self, line: str) -> None:
        """Adds one line by one write; a disk that takes only part of it gives that back."""
        content = f"{line}\n".encode()
        before = os.fstat(self._file).st_size
        written = os.write(self._file, content)
        if written < len(content):
            os.ftruncate(self._file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Ends it."""
        os.close(self._file)


def _mend(path: Path, at_once: int = 2**16) -> None:
    """Cuts off what comes after the last end of a line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - at_once)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)


@contextmanager
def write_errors(path: Path, then: str = "") -> Iterator[None]:
    """Has what the system refuses in the block become one sentence.

    Args:
        path: what is written there.
        then: what to do about it, after a semicolon.

    Raises:
        InputError: in place of an OSError.
    """
    try:
        yield
    except BrokenPipeError:  # whoever was told of events has seen enough
        raise
    except OSError as error:
        raise refusal(error, path, then) from None


def refusal(error: OSError, path: Path, then: str = "") -> InputError:
    """The sentence for what the system refused."""
    remedy = f"; {then}" if then else ""
    return InputError(f"{path}: cannot be written ({error.strerror or error}){remedy}")


def require_free(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuses a destination that could not be written, before anything is computed for it.

    Raises:
        InputError: something is there and `force` is not given, or it is a directory other than a
            Zarr store; or its own directory does not exist, is not one, or is not writable.
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
    """A path of the same suffix to write to, moved to `path` once the block has succeeded.

    Raises:
        InputError: the destination is not free, or writing failed; nothing is left behind.
    """
    path = _target(path)
    require_free(path, force=force)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    former = path.with_name(f".{path.stem}.{os.getpid()}.former{path.suffix}")
    try:
        yield partial
        # Nothing replaces a directory, nor a directory anything, in one step.
        if path.is_dir() or (partial.is_dir() and path.exists()):
            os.replace(path, former)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if former.exists() and not path.exists():
            os.replace(former, path)
        _remove(partial)
        _remove(former)


def _target(path: str | os.PathLike[str]) -> Path:
    """The path, or what it links to: a link is written through."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
