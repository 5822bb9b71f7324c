"""The directory of a run: its files, what the run began with, and the lock of its writer.

    spec.toml      what is computed
    run.json       what the run began with: versions, device, fingerprints
    results.zarr   the store
    events.jsonl   the log: which tasks are done, and what happened when
    lock           held by the writing process, released even if it is killed

`run.json` is written first, as a whole; everything else follows from it or is computed again.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import xxhash

from sweep.base import files
from sweep.base.errors import InputError
from sweep.runs import log

if TYPE_CHECKING:  # a spec loads JAX, which `status` does without
    from sweep.runs.spec.spec import Spec

FORMAT = 2  # version of the layout of the directory
LOCK_PATIENCE_S = 0.5  # a process that is ending may be about to release the lock
LOCK_PEEK_S = 0.05  # another process may be asking for the lock, too
READ_BYTES = 2**20  # bytes of a file that a fingerprint reads at once


class RunRecord(msgspec.Struct, frozen=True, dict=True):
    """What a run began with: the content of run.json."""

    spec: str  # canonical text of its spec
    fingerprint: str  # of the spec
    base: str  # directory that files of data are relative to, absolute
    versions: dict[str, str]  # see `sweep.base.provenance`
    device: str  # see `sweep.base.devices.describe`
    data: tuple[str, ...]  # fingerprint of each file of data, in the order of the spec
    format: int = FORMAT

    @cached_property
    def values(self) -> dict[str, Any]:
        """The canonical values of the spec, by key."""
        return tomllib.loads(self.spec)

    def to_spec(self) -> Spec:
        """The spec."""
        from sweep.runs.spec.spec import Spec  # loads JAX, which `status` does without

        return Spec.of(self.values, base=self.base)


class _Format(msgspec.Struct):
    format: int


class Directory:
    """Paths of a run; the docstring of the module says what they hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.toml"
        self.run_json = path / "run.json"
        self.store = path / "results.zarr"
        self.events = path / "events.jsonl"
        self.lock = path / "lock"

    def read(self) -> RunRecord:
        """What the run began with."""
        if not self.path.exists():
            raise InputError(f"{self.path}: no such directory; start a run with `sweep run`")
        try:
            with files.system_errors(self.run_json, "read"):
                content = self.run_json.read_bytes() if self.run_json.exists() else None
            if content is None:
                raise InputError(self._absent())
            number = msgspec.json.decode(content, type=_Format).format
            if number != FORMAT:
                raise InputError(
                    f"{self.path}: was written by {'a newer' if number > FORMAT else 'an older'} "
                    f"version of sweep, in format {number}; this version reads format {FORMAT}, so "
                    "use that version, or start another run"
                )
            record = msgspec.json.decode(content, type=RunRecord)
            record.values  # noqa: B018  raises an error of TOML now
        except (msgspec.MsgspecError, tomllib.TOMLDecodeError):
            raise self.damaged() from None
        return record

    def _absent(self) -> str:
        if self.lock.exists() and self.unused():
            return f"{self.path}: was interrupted before its run began; use `sweep run` again"
        return f"{self.path}: is not a run (it has no run.json); name a directory of `sweep run`"

    def damaged(self) -> InputError:
        """The error for a run.json that does not hold what was written."""
        return InputError(
            f"{self.run_json}: is damaged, so the run cannot be resumed; start another one"
        )

    def unused(self) -> bool:
        """Whether the directory holds no files but those of a run that had not begun yet."""
        return all(
            name == self.lock.name or name.endswith(files.PARTIAL) for name in os.listdir(self.path)
        )

    def begin(self, record: RunRecord) -> None:
        """Makes this the directory of a run; the caller holds the lock."""
        files.replace(self.run_json, msgspec.json.encode(record), durable=True)
        files.replace(self.spec, record.spec.encode(), durable=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from writing to the run while the block runs."""
        from filelock import FileLock, Timeout  # 0.03 s, which `status` rarely needs

        lock = FileLock(self.lock, timeout=LOCK_PATIENCE_S)
        try:
            lock.acquire(poll_interval=0.05)
        except Timeout:
            begun = log.read(self.events).begun
            holder = f"process {begun['pid']} on {begun['host']}" if begun else "another process"
            raise InputError(
                f"{self.path}: {holder} is writing to it; wait until it is done, or end it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def written_to(self) -> bool | None:
        """Whether a process holds the lock; None if this process may not ask."""
        if not self.lock.exists():
            return False
        from filelock import FileLock, Timeout  # 0.03 s, which a run without a writer does without

        try:
            with FileLock(self.lock, timeout=LOCK_PEEK_S).acquire(poll_interval=0.01):
                return False
        except Timeout:
            return True
        except OSError:
            return None


def fingerprint(path: Path) -> str:
    """128-bit XXH3 digest, in hex, of the bytes of a file."""
    state = xxhash.xxh3_128()
    with files.system_errors(path, "read"), path.open("rb") as file:
        while content := file.read(READ_BYTES):
            state.update(content)
    return state.hexdigest()


def require_free(directory: Directory, spec: Spec) -> None:
    """Refuses a directory where a run cannot begin."""
    path = directory.path
    if path.is_dir():
        with files.system_errors(path, "read"):
            free = directory.unused()
        if not free:
            raise InputError(_occupied(directory, spec))
    elif os.path.lexists(path):
        raise InputError(f"{path}: is not a directory and stays as it is; choose another name")
    elif not path.parent.is_dir():
        raise InputError(f"{path}: cannot be made because there is no directory {path.parent}")
    parent = path if path.is_dir() else path.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written because {parent} is read-only")


def _occupied(directory: Directory, spec: Spec) -> str:
    path = directory.path
    if not directory.run_json.exists():
        return f"{path}: is not empty and not a run; choose another directory"
    record = directory.read()
    if record.fingerprint == spec.fingerprint:
        return f"{path}: holds this run already; continue it with `sweep resume {path}`"
    return (
        f"{path}: holds another run ({_differing_keys(record.to_spec(), spec)} differs); choose "
        "another directory"
    )


def require_spec(directory: Directory, record: RunRecord) -> Spec:
    """The spec of the run; that of spec.toml, which is restored if missing, must be the same."""
    spec = record.to_spec()
    if spec.fingerprint != record.fingerprint:
        raise directory.damaged()
    if not directory.spec.exists():
        files.replace(directory.spec, record.spec.encode())
    present = spec.read(directory.spec, base=record.base)
    if present.fingerprint != record.fingerprint:
        raise InputError(
            f"{directory.spec}: has changed since the run began ({_differing_keys(spec, present)} "
            "differs); restore it, or start another run with the new spec"
        )
    return spec


def _differing_keys(spec: Spec, other: Spec) -> str:
    """The keys in which two specs differ."""
    first, second = _flat(spec), _flat(other)
    names = list(dict.fromkeys([*first, *second]))
    return ", ".join(name for name in names if first.get(name) != second.get(name)) or "base"


def _flat(spec: Spec) -> dict[str, Any]:
    """The values of a spec, those of its table `training` among them."""
    values = spec.to_dict()
    return values | values.pop("training", {})


def require_unchanged(file: Path, before: str) -> None:
    """Refuses a file of data that is not the one, by its fingerprint, that the run began with."""
    if fingerprint(file) != before:
        raise InputError(
            f"the data file {file} has changed since the run began; restore it, or start another "
            "run"
        )
