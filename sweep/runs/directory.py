"""The directory of a run: what lies where, what it was begun with, and who may write to it.

    spec.toml        what is computed
    run.json         what it was begun with: versions, device, fingerprints; whole or not there
    results.zarr     the store
    journal.jsonl    which tasks are done
    events.jsonl     what happened when
    heartbeat.json   what the process that writes is at
    lock             held by that process, and by no dead one

`run.json` comes first, and everything else can be made from it, or is computed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from sweep.base import files
from sweep.base.errors import InputError
from sweep.runs.spec.spec import Spec

FORMAT = 1
"""Version of the layout."""

PATIENCE = 0.5
"""Seconds to wait for the lock, which a process that ends may be about to give back."""

AT_ONCE = 2**20
"""Bytes that are read at once for a fingerprint."""


@dataclass(frozen=True)
class RunRecord:
    """What a run was begun with.

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
        import tomllib

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
    def begun(self) -> Path:
        """What it was begun with."""
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
        """What happened when."""
        return self.path / "events.jsonl"

    @property
    def heartbeat(self) -> Path:
        """What the process that writes is at."""
        return self.path / "heartbeat.json"

    @property
    def lock(self) -> Path:
        """Held by that process."""
        return self.path / "lock"

    def read(self) -> RunRecord:
        """What the run was begun with.

        Raises:
            InputError: there is no run here, or one of a newer format, or its file is damaged.
        """
        from tomllib import TOMLDecodeError, loads

        from msgspec import ValidationError, convert

        try:
            begun = convert(self._values(), RunRecord)
            loads(begun.spec)
        except (ValidationError, TOMLDecodeError):
            raise self._damaged() from None
        return begun

    def _values(self) -> dict[str, Any]:
        if not self.path.exists():
            raise InputError(f"{self.path}: no such directory; begin a run with `sweep run`")
        try:
            values = json.loads(self.begun.read_bytes())
            newer = values["format"] > FORMAT
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(self._absent()) from None
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"{self.begun}: cannot be read ({why})") from None
        except (ValueError, KeyError, TypeError):
            raise self._damaged() from None
        if newer:
            raise InputError(
                f"{self.path}: was written by a newer sweep, in format {values['format']}; this "
                f"one reads {FORMAT}; use that version"
            )
        return values

    def _absent(self) -> str:
        if self.lock.exists() and self.unused():
            return (
                f"{self.path}: was interrupted before its run began; begin it again with "
                "`sweep run`"
            )
        return f"{self.path}: is no run, for it has no run.json; name a directory of `sweep run`"

    def _damaged(self) -> InputError:
        return InputError(
            f"{self.begun}: is damaged; it cannot be told what the run was begun with, so begin "
            "another one"
        )

    def unused(self) -> bool:
        """Whether a run may begin here: the directory is empty, or one was about to."""
        return all(
            name == self.lock.name or name.endswith(files.PARTIAL) for name in os.listdir(self.path)
        )

    def require_free(self, spec: Spec) -> None:
        """Refuses a place where no run can begin.

        Raises:
            InputError: something is there, which the sentence names, or it cannot be written.
        """
        path = self.path
        if path.is_dir():
            with files.said(path):
                free = self.unused()
            if not free:
                raise InputError(self._occupied(spec))
        elif os.path.lexists(path):
            raise InputError(f"{path}: is not a directory and stays as it is; choose another name")
        elif not path.parent.is_dir():
            raise InputError(f"{path}: cannot be made because there is no directory {path.parent}")
        place = path if path.is_dir() else path.parent
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"{path}: cannot be written because {place} is read-only")

    def _occupied(self, spec: Spec) -> str:
        if not self.begun.exists():
            return f"{self.path}: is not empty and no run; choose another directory"
        begun = self.read()
        if begun.fingerprint == spec.fingerprint:
            return (
                f"{self.path}: holds this run already; go on with it by `sweep resume {self.path}`"
            )
        different = _differing(begun.to_spec(), spec)
        return f"{self.path}: holds another run ({different} differs); choose another directory"

    def begin(self, begun: RunRecord) -> None:
        """Makes this the directory of a run; to be called while it is held.

        Raises:
            OSError: it cannot be written.
        """
        files.replace(self.begun, json.dumps(asdict(begun), indent=1).encode(), durable=True)
        files.replace(self.spec, begun.spec.encode(), durable=True)

    def require_spec(self, begun: RunRecord) -> Spec:
        """The spec of the run.

        Raises:
            InputError: spec.toml is not what it was, and says which key differs; or the one in
                run.json is not.
            OSError: it is not there and cannot be written.
        """
        spec = begun.to_spec()
        if spec.fingerprint != begun.fingerprint:
            raise self._damaged()
        if not self.spec.exists():
            files.replace(self.spec, begun.spec.encode())
        found = Spec.read(self.spec, base=begun.base)
        if found.fingerprint != begun.fingerprint:
            raise InputError(
                f"{self.spec}: was changed since the run began ({_differing(spec, found)} differs);"
                " put it back, or begin another run with the new spec"
            )
        return spec

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes to the run while the block runs.

        Raises:
            InputError: another process holds it.
            OSError: it cannot be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock, timeout=PATIENCE)
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
        InputError: it cannot be read.
    """
    state = xxhash.xxh3_128()
    try:
        with path.open("rb") as file:
            while piece := file.read(AT_ONCE):
                state.update(piece)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return state.hexdigest()


def require_data(spec: Spec, begun: RunRecord, path: Path) -> None:
    """Refuses files of data that are not those that the run was begun with.

    Raises:
        InputError: one is missing or differs.
    """
    spec.require_data()
    for file, before in zip(spec.files, begun.data, strict=True):
        if fingerprint(file) != before:
            raise InputError(
                f"{path}: its data {file} were changed since the run began; put them back, or "
                "begin another run"
            )


def _differing(one: Spec, other: Spec) -> str:
    """The keys in which two specs differ."""
    first, second = _flat(one), _flat(other)
    names = list(dict.fromkeys([*first, *second]))
    return ", ".join(name for name in names if first.get(name) != second.get(name)) or "base"


def _flat(spec: Spec) -> dict[str, Any]:
    """The values of a spec, those of its table as its own."""
    values = spec.to_dict()
    return values | values.pop("training", {})
