"""Which columns of a file are the labels, the logits or probabilities, and the weights.

They are found by their usual names, or by those that were asked for; logits of several classes are
columns whose names begin alike and end with the name of the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweep.base.errors import InputError
from sweep.data import tables

NAMES = {
    "y": ("y", "y_true"),
    "logit": ("logit", "logits"),
    "probability": ("probability", "probabilities"),
    "weight": ("weight",),
}
"""What columns of a file are called unless they are named, by option."""


class Selection(NamedTuple):
    """The columns of a file that make predictions.

    Attributes:
        y: that of the labels.
        name: what those of the scores are called together.
        scores: those of the logits or probabilities: one, or one for each class.
        probable: whether these are probabilities.
        classes: names of the classes; None where the columns do not say them.
        weight: that of the weights, if there is one.
    """

    y: str
    name: str
    scores: tuple[str, ...]
    probable: bool
    classes: tuple[str, ...] | None
    weight: str | None


def columns(asked: Mapping[str, str | None], names: list[str]) -> list[str]:
    """The columns to read, of those that a file has.

    Raises:
        InputError: as `selection`.
    """
    chosen = selection(asked, names)
    return [chosen.y, *chosen.scores, *([] if chosen.weight is None else [chosen.weight])]


def selection(asked: Mapping[str, str | None], names: list[str]) -> Selection:
    """What is what in a file, by the names that were asked for, None where none was.

    Raises:
        InputError: something that is needed is not there, or both logits and probabilities are.
    """
    y = _single(asked, "y", names)
    if y is None:
        raise _none(asked, ("y",), names)
    kinds = [kind for kind in ("logit", "probability") if asked[kind] is not None]
    if len(kinds) > 1:
        raise InputError("both logits and probabilities are asked for; name one of them")
    kinds = kinds or ["logit", "probability"]
    found = {kind: at for kind in kinds if (at := _scores(asked, kind, names))}
    if not found:
        raise _none(asked, kinds, names)
    if len(found) > 1:
        both = " and ".join(repr(scores[0]) for scores in found.values())
        raise InputError(f"has columns {both}; say which by --logit or --probability")
    ((kind, scores),) = found.items()
    weight = _single(asked, "weight", names)
    if weight is None and asked["weight"] is not None:
        raise _none(asked, ("weight",), names)
    if len(scores) == 1:
        return Selection(y, scores[0], scores, kind == "probability", None, weight)
    prefix = f"{_called(asked, kind)[0]}_"
    classes = tuple(name.removeprefix(prefix) for name in scores)
    return Selection(y, f"{prefix}*", scores, kind == "probability", classes, weight)


def _called(asked: Mapping[str, str | None], option: str) -> tuple[str, ...]:
    named = asked[option]
    return NAMES[option] if named is None else (named,)


def _single(asked: Mapping[str, str | None], option: str, names: list[str]) -> str | None:
    return next((name for name in _called(asked, option) if name in names), None)


def _scores(asked: Mapping[str, str | None], kind: str, names: list[str]) -> tuple[str, ...]:
    """The column of that kind, or else those of the classes, in the order of the file."""
    single = _single(asked, kind, names)
    if single is not None:
        return (single,)
    prefix = f"{_called(asked, kind)[0]}_"
    columns = tuple(name for name in names if name.startswith(prefix))
    if len(columns) == 1:
        raise InputError(
            f"has a column {columns[0]!r}, but none for another class; "
            f"give one for each class, or name it by --{kind}={columns[0]}"
        )
    return columns


def _none(asked: Mapping[str, str | None], options: Sequence[str], names: list[str]) -> InputError:
    wanted = " or ".join(repr(_called(asked, option)[0]) for option in options)
    by = " or ".join(f"--{option}" for option in options)
    return InputError(
        f"has no column {wanted}; its columns are {tables.listed(names)} "
        f"(other names are given with {by}, and commas separate columns)"
    )
