"""Records as plain Python values, which `to_dict()` returns and `--json` prints."""

from __future__ import annotations

import enum
import math
from dataclasses import fields, is_dataclass
from typing import Any


class Record:
    """A result that becomes plain Python values; its fields are those of a dataclass."""

    def to_dict(self) -> dict[str, Any]:
        """The record in types that JSON can hold; see `plain`."""
        return plain(self)


def plain(value: Any) -> Any:
    """The value in types that JSON has.

    A dataclass becomes a dict of its fields, a tuple a list, and an enum its name and sentence;
    nan and the infinities become None.
    """
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return {"name": value.name, "sentence": value.value}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
