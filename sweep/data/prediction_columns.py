"""Which columns of a file hold the labels, the logits or probabilities, and the weights.

The columns have their usual names, or names that the user chooses. The logits of several classes
are columns with a common prefix, an underscore and the name of the class.
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
"""Usual names of the columns, by option; the first one that a file has counts."""


class Selection(NamedTuple):
    """The columns of a file that make predictions.

    Attributes:
        y: column of the labels.
        name: name of all score columns together, for error messages.
        scores: columns of the logits or probabilities: one, or one for each class.
        probable: whether the scores are probabilities.
        classes: names of the classes; None if the columns do not contain them.
        weight: column of the weights, if there is one.
    """

    y: str
    name: str
    scores: tuple[str, ...]
    probable: bool
    classes: tuple[str, ...] | None
    weight: str | None


def columns(options: Mapping[str, str | None], names: list[str]) -> list[str]:
    """The columns to read, of those that a file has; arguments and errors as in `selection`."""
    chosen = selection(options, names)
    return [chosen.y, *chosen.scores, *([] if chosen.weight is None else [chosen.weight])]


def selection(options: Mapping[str, str | None], names: list[str]) -> Selection:
    """The role of each column of a file.

    Args:
        options: the user's name of a column by option, as in `NAMES`; None takes the usual names.
        names: all columns of the file.

    Raises:
        InputError: a required column is missing, or the file has both logits and probabilities.
    """
    y = _single(options, "y", names)
    if y is None:
        raise _missing(options, ("y",), names)
    kinds = [kind for kind in ("logit", "probability") if options[kind] is not None]
    if len(kinds) > 1:
        raise InputError("both logits and probabilities are asked for; name one of them")
    kinds = kinds or ["logit", "probability"]
    by_kind = {kind: scores for kind in kinds if (scores := _scores(options, kind, names))}
    if not by_kind:
        raise _missing(options, kinds, names)
    if len(by_kind) > 1:
        both = " and ".join(repr(scores[0]) for scores in by_kind.values())
        raise InputError(f"has columns {both}; choose one with --logit or --probability")
    ((kind, scores),) = by_kind.items()
    weight = _single(options, "weight", names)
    if weight is None and options["weight"] is not None:
        raise _missing(options, ("weight",), names)
    if len(scores) == 1:
        return Selection(y, scores[0], scores, kind == "probability", None, weight)
    prefix = f"{_candidates(options, kind)[0]}_"
    classes = tuple(name.removeprefix(prefix) for name in scores)
    return Selection(y, f"{prefix}*", scores, kind == "probability", classes, weight)


def _candidates(options: Mapping[str, str | None], option: str) -> tuple[str, ...]:
    """Names that the column of an option may have."""
    chosen = options[option]
    return NAMES[option] if chosen is None else (chosen,)


def _single(options: Mapping[str, str | None], option: str, names: list[str]) -> str | None:
    return next((name for name in _candidates(options, option) if name in names), None)


def _scores(options: Mapping[str, str | None], kind: str, names: list[str]) -> tuple[str, ...]:
    """The single column of that kind, or else one column per class in the order of the file."""
    single = _single(options, kind, names)
    if single is not None:
        return (single,)
    prefix = f"{_candidates(options, kind)[0]}_"
    columns = tuple(name for name in names if name.startswith(prefix))
    if len(columns) == 1:
        raise InputError(
            f"has a column {columns[0]!r}, but none for another class; "
            f"give one for each class, or name it by --{kind}={columns[0]}"
        )
    return columns


def _missing(
    options: Mapping[str, str | None], missing: Sequence[str], names: list[str]
) -> InputError:
    columns = " or ".join(repr(_candidates(options, option)[0]) for option in missing)
    flags = " or ".join(f"--{option}" for option in missing)
    return InputError(
        f"has no column {columns}; its columns are {tables.listed(names)} "
        f"(give another name with {flags}, and separate columns by commas)"
    )
