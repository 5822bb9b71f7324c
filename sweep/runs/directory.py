"""The directory of a run: its files, what the run began with, and the lock of its writer.

    spec.toml        what is computed
    run.json         what the run began with: versions, device, fingerprints
    results.zarr     the store
    journal.jsonl    which tasks are done
    events.jsonl     the event log
    heartbeat.json   progress of the writing process
    lock             held by the writing process, released even if it is killed

`run.json` is written first, as a whole; everything else follows from it or is computed again.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash
from msgspec import ValidationError, convert

from sweep.base import files
from sweep.base.errors import InputError

if TYPE_CHECKING:  # a spec loads JAX, which `status` does without
    from sweep.runs.spec.spec import Spec

FORMAT = 1  # version of the layout of the directory
LOCK_PATIENCE_S = 0.5  # a process that is ending may be about to release the lock
READ_BYTES = 2**20  # bytes of a file that a fingerprint reads at once


@dataclass(frozen=True)
class RunRecord:
    """What a run began with: the content of run.json.

    Attributes:
        spec: canonical text of its spec.
        fingerprint: of the spec.
        base: directory that files of data are relative to, absolute.
        versions: see `sweep.base.provenance`.
        device: see `sweep.base.devices.describe`.
        data: fingerprint of each file of data, in the order of the spec.
        format: version of the layout.
    """

    spec: str
    fingerprint: str
    base: str
    versions: dict[str, str]
    device: str
    data: tuple[str, ...]
    format: int = FORMAT

    def to_spec(self) -> Spec:
        """The spec."""
        from sweep.runs.spec.spec import Spec  # loads JAX, which `status` does without

        return Spec.of(tomllib.loads(self.spec), base=self.base)


@dataclass(frozen=True)
class Directory:
    """Paths of a run.

    Attributes:
        path: the directory.
    """

    path: Path

    @property
    def spec(self) -> Path:
        """What is computed."""
        return self.path / "spec.toml"

    @property
    def run_json(self) -> Path:
        """What the run began with."""
        return self.path / "run.json"

    @property
    def store(self) -> Path:
        """The results."""
        return self.path / "results.zarr"

    @property
    def journal(self) -> Path:
        """Which tasks are done."""
        return self.path / "journal.jsonl"

    @property
    def events(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def heartbeat(self) -> Path:
        """Progress of the writing process."""
        return self.path / "heartbeat.json"

    @property
    def lock(self) -> Path:
        """Held by the writing process."""
        return self.path / "lock"

    def read(self) -> RunRecord:
        """What the run began with.

        Raises:
            InputError: there is no run here, its format is newer, or run.json is damaged.
        """
        try:
            record = convert(self._values(), RunRecord)
            tomllib.loads(record.spec)
        except (ValidationError, tomllib.TOMLDecodeError):
            raise self.damaged() from None
        return record

    def _values(self) -> dict[str, Any]:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such directory; start a run with `sweep run`")
        try:
            values = json.loads(self.run_json.read_bytes())
            newer = values["format"] > FORMAT
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(self._absent()) from None
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"{self.run_json}: cannot be read ({why})") from None
        except (ValueError, KeyError, TypeError):
            raise self.damaged() from None
        if newer:
            raise InputError(
                f"{self.path}: was written by a newer version of sweep, in format "
                f"{values['format']}; this version reads format {FORMAT}, so use the newer one"
            )
        return values

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
        """Makes this the directory of a run; the caller holds the lock.

        Raises:
            OSError: a file cannot be written.
        """
        files.replace(self.run_json, json.dumps(asdict(record), indent=1).encode(), durable=True)
        files.replace(self.spec, record.spec.encode(), durable=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from writing to the run while the block runs.

        Raises:
            InputError: another process holds the lock.
            OSError: the lock cannot be written.
        """
        from filelock import FileLock, Timeout  # 0.03 s, which only writers need

        lock = FileLock(self.lock, timeout=LOCK_PATIENCE_S)
        try:
            lock.acquire(poll_interval=0.05)
        except Timeout:
            raise InputError(
                f"{self.path}: {self._holder()} is writing to it; wait until it is done, or end it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _holder(self) -> str:
        try:
            beat = json.loads(self.heartbeat.read_bytes())
            return f"process {beat['pid']} on {beat['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def fingerprint(path: Path) -> str:
    """128-bit XXH3 digest, in hex, of the bytes of a file.

    Raises:
        InputError: the file cannot be read.
    """
    state = xxhash.xxh3_128()
    try:
        with path.open("rb") as file:
            while content := file.read(READ_BYTES):
                state.update(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return state.hexdigest()
