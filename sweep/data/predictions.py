"""Predictions: the logits of a classifier on validation data, with the true labels.

This module turns probabilities into logits (`sweep.data.logits`) and labels of any kind into class
numbers (`sweep.data.labels`), and reads both from files: from columns with their usual names or
with names that the user chooses. The logits of several classes are columns with a common prefix, an
underscore and the name of the class.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import (
    Table,
    Where,
    array,
    column,
    element,
    listed,
    read_only,
    require_finite,
    require_weights,
)
from sweep.data.labels import classes as classes_of
from sweep.data.labels import labels
from sweep.data.logits import finite_logits, scores
from sweep.data.sample import Sample, of_checked
from sweep.metrics.logistic import softplus

if TYPE_CHECKING:  # a package above this one
    from sweep.measure.measure import Measure

NAMES = {
    "y": ("y", "y_true"),
    "logit": ("logit", "logits"),
    "probability": ("probability", "probabilities"),
    "weight": ("weight",),
}
"""Usual names of the columns, by option; the first one that a file has counts."""

FEWEST = 10  # samples that predictions need
LOGITS_AT_ONCE = 2**20  # of several classes: 8 MiB a temporary array


class Selection(NamedTuple):
    """The columns of a file that make predictions."""

    y: str  # column of the labels
    name: str  # name of all score columns together, for error messages
    scores: tuple[str, ...]  # columns of the logits or probabilities: one, or one for each class
    probable: bool  # whether the scores are probabilities
    classes: tuple[str, ...] | None  # names of the classes; None if the columns do not contain them
    weight: str | None  # column of the weights, if there is one

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [self.y, *self.scores, *([] if self.weight is None else [self.weight])]


def selection(options: Mapping[str, str | None], names: list[str]) -> Selection:
    """The role of each column of a file."""
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
        f"has no column {columns}; its columns are {listed(names)} "
        f"(give another name with {flags}, and separate columns by commas)"
    )


class Naming(NamedTuple):
    """How error messages call the columns and locate a value."""

    y: str
    scores: str
    weight: str
    where: Where


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """n logits with their labels.

    Attributes:
        y: class numbers, shape (n,), 0 to k - 1.
        logits: finite; for two classes the log-odds of class 1, shape (n,); for k > 2 classes
            shape (n, k), each row up to a constant.
        weight: weights >= 0, shape (n,); None means that each sample counts once.
        classes: the k names of the classes.
        exact: whether a probability was exactly 0 or 1, shape (n,).
        taken_for: replacement of a probability of 0. It is the machine epsilon of the user's
            numbers, 2.2e-16 for float64 and 1.2e-7 for float32, as in scikit-learn's log_loss.
            The true probability may be smaller, so the loss of a wrong sample is rather too low
            than too high. If probabilities were clipped, it is the clip; nan if neither applies.
    """

    y: Int[np.ndarray, " n"]
    logits: Float[np.ndarray, " n"] | Float[np.ndarray, "n k"]
    weight: Float[np.ndarray, " n"] | None
    classes: tuple[str, ...]
    exact: Bool[np.ndarray, " n"]
    taken_for: float

    @classmethod
    def of(
        cls,
        y_true: ArrayLike,
        logits: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        probabilities: ArrayLike | None = None,
        pos_label: Any | None = None,
        classes: Sequence[Any] | None = None,
        clip: float | None = None,
    ) -> Predictions:
        """Makes predictions from the output of a classifier.

        Args:
            y_true: labels, shape (n,): 0 and 1 or booleans, or any two labels with `pos_label`;
                for k columns 0 to k - 1, or the names of the classes, or k labels whose sorted
                order is that of the columns.
            logits: log-odds of class 1, shape (n,) or (n, 1), or a logit or log-probability of
                each class, shape (n, k). An infinite logit is an exact probability.
            sample_weight: weights >= 0, shape (n,).
            probabilities: instead of logits: probabilities of class 1, or of each class.
            pos_label: label of class 1, for two classes only.
            classes: names of the classes, in the order of the columns.
            clip: clips probabilities to [clip, 1 - clip], as Keras does with 1e-7; None changes
                only probabilities of exactly 0 and 1: see `taken_for`.

        Raises:
            InputError: an argument is missing, has a wrong length or type, or holds a value out of
                range; the message names the first bad value.
        """
        given = logits if probabilities is None else probabilities
        if given is None:
            raise InputError("neither logits nor probabilities are given; give one of them")
        if logits is not None and probabilities is not None:
            raise InputError("both logits and probabilities are given; give one of them")
        probable = probabilities is not None
        role = "probabilities" if probable else "logits"
        naming = Naming("y_true", role, "sample_weight", element)
        values = scores(role, given, element, probable=probable)
        return _predictions(
            naming, y_true, values, sample_weight, probable, classes, pos_label, clip
        )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def binary(self) -> bool:
        """Whether there are two classes, and so one logit per sample."""
        return self.logits.ndim == 1

    @property
    def mass(self) -> Float[np.ndarray, " n"]:
        """The weight of each sample, shape (n,): 1 if there are no weights."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def with_weight(self) -> Predictions:
        """The samples with a weight above 0."""
        weight = self.weight
        return self if weight is None or np.all(weight > 0) else self.only(weight > 0)

    def only(self, kept: Bool[np.ndarray, " n"]) -> Predictions:
        """The samples that `kept` marks; the names of the classes stay."""
        return replace(
            self,
            y=self.y[kept],
            logits=self.logits[kept],
            weight=None if self.weight is None else self.weight[kept],
            exact=self.exact[kept],
        )

    @cached_property
    def sample(self) -> Sample:
        """The points (z, y), for two classes only."""
        weight = {} if self.weight is None else {"weight": self.weight}
        return of_checked({"x": self.logits, "y": read_only(self.y.astype(np.float64))} | weight)

    @cached_property
    def measure(self) -> Measure:
        """The measure of `sample`."""
        from sweep.measure.measure import Measure  # built on this package, so loaded when called

        return Measure.from_sample(self.sample)

    @cached_property
    def losses(self) -> Float[np.ndarray, " n"]:
        """Cross-entropy of each sample in nats; even a tiny one has full relative precision."""
        if self.binary:
            return read_only(softplus(np.where(self.y == 1, -self.logits, self.logits)))
        rows = max(1, LOGITS_AT_ONCE // self.logits.shape[1])
        starts = range(0, len(self), rows)
        parts = (slice(start, start + rows) for start in starts)
        return read_only(
            np.concatenate([_losses(self.logits[part], self.y[part]) for part in parts])
        )


def _losses(z: Float[np.ndarray, "m k"], y: Int[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """log(sum exp z) - z_y, with the largest logit apart so that a tiny loss keeps its digits."""
    row, top = np.arange(len(z)), np.argmax(z, axis=1)
    largest = z[row, top]
    odds = np.exp(z - largest[:, None])
    odds[row, top] = 0.0
    return np.log1p(np.sum(odds, axis=1)) + (largest - z[row, y])


def load(
    path: str | os.PathLike[str],
    *,
    y: str | None = None,
    logit: str | None = None,
    probability: str | None = None,
    weight: str | None = None,
    pos_label: Any | None = None,
    clip: float | None = None,
) -> Predictions:
    """Reads predictions from a file.

    Args:
        path: a file of a format that `sweep.data.load` reads; an array of an NPZ file may have k
            columns.
        y: name of the column of labels; None takes `y` or `y_true`.
        logit: name of the column of logits; or, for one column per class, the prefix before an
            underscore and the name of the class; None takes `logit` or `logits` if it exists.
        probability: the same for probabilities; None takes `probability` or `probabilities`.
        weight: name of the column of weights; None takes `weight` if it exists.
        pos_label: as for `Predictions.of`.
        clip: as for `Predictions.of`.

    Raises:
        InputError: the file is missing, does not have the format of its suffix, lacks a column, or
            has both logits and probabilities without a choice; or `Predictions.of` rejects its
            content. Row numbers start at 1, without the header and empty lines.
    """
    path = Path(path)
    options = {"y": y, "logit": logit, "probability": probability, "weight": weight}
    table = tables.read(path, lambda names: selection(options, names).columns)
    chosen = selection(options, list(table))
    try:
        if len(table[chosen.y]) == 0:
            raise InputError(f"has no rows; at least {FEWEST} samples are needed")
        return _of_table(table, chosen, pos_label, clip)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _of_table(
    table: Table, chosen: Selection, pos_label: Any | None, clip: float | None
) -> Predictions:
    def where(name: str, row: int) -> str:
        return f"{name} in row {row + 1}"

    arrays = [
        scores(repr(name), table[name], where, probable=chosen.probable) for name in chosen.scores
    ]
    naming = Naming(repr(chosen.y), repr(chosen.name), repr(chosen.weight), where)
    weight = None if chosen.weight is None else table[chosen.weight]
    return _predictions(
        naming,
        table[chosen.y],
        arrays[0] if len(arrays) == 1 else np.column_stack(arrays),
        weight,
        chosen.probable,
        chosen.classes,
        pos_label,
        clip,
    )


def _predictions(
    naming: Naming,
    y_true: ArrayLike,
    values: Shaped[np.ndarray, "n ..."],
    sample_weight: ArrayLike | None,
    probable: bool,
    classes: Sequence[Any] | None,
    pos_label: Any | None,
    clip: float | None,
) -> Predictions:
    """Predictions from `scores`; arguments as for `Predictions.of`."""
    if clip is not None and not (isinstance(clip, Real) and 0 < clip < 0.5):
        raise InputError(f"clip={clip}: a probability between 0 and 0.5 is needed")
    if clip is not None and not probable:
        raise InputError("clip is for probabilities, but these are logits; leave it out")
    finite = finite_logits(naming.scores, values, naming.where, clip, probable=probable)
    raw_labels = labels(naming.y, y_true, naming.where)
    weight = None if sample_weight is None else _weights(sample_weight, naming)
    _require_lengths(len(finite.exact), raw_labels.codes, weight, naming)
    numbered = classes_of(raw_labels, finite.columns, classes, pos_label)
    if weight is not None:
        _require_counted(numbered.y, weight)
    flipped = finite.columns == 2 and numbered.order == (1, 0)
    return Predictions(
        read_only(numbered.y),
        read_only(-finite.logits if flipped else finite.logits),
        weight,
        numbered.names,
        finite.exact,
        finite.taken_for,
    )


def _weights(values: ArrayLike, naming: Naming) -> Float[np.ndarray, " n"]:
    weight = array(naming.weight, values, "a weight for each sample", flat=True)
    weight = column(naming.weight, weight, naming.where)
    require_finite(naming.weight, weight, naming.where)
    require_weights(naming.weight, weight, naming.where)
    return weight


def _require_lengths(
    n: int, y: Int[np.ndarray, " m"], weight: Float[np.ndarray, " w"] | None, naming: Naming
) -> None:
    lengths = {naming.y: len(y)} | ({} if weight is None else {naming.weight: len(weight)})
    for name, length in lengths.items():
        if length != n:
            raise InputError(
                f"{naming.scores} has {n} rows but {name} has {length}; give one for each sample"
            )
    if n < FEWEST:
        raise InputError(f"n = {n}: at least {FEWEST} samples are needed")


def _require_counted(y: Int[np.ndarray, " n"], weight: Float[np.ndarray, " n"]) -> None:
    counted = y[weight > 0]
    if len(counted) < FEWEST:
        raise InputError(
            f"{len(counted)} of {len(y)} samples have a weight above 0; at least {FEWEST} must"
        )
    if np.all(counted == counted[0]):
        raise InputError("all samples with a weight above 0 are of one class; both are needed")
