"""Predictions: the validation logits of a classifier, with the labels that came true.

Probabilities become logits here, exact zeros and ones are set right in the open, and labels of any
kind become class numbers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data import tables
from sweep.data.columns import (
    Where,
    array,
    column,
    element,
    read_only,
    require_finite,
    require_weights,
)
from sweep.data.labels import classes as classes_of
from sweep.data.labels import labels
from sweep.data.logits import Logits, of_logits, of_probabilities, scores
from sweep.data.prediction_columns import Selection, columns, selection
from sweep.data.sample import Sample

FEWEST = 10
"""Samples that are needed."""


class Naming(NamedTuple):
    """What the columns are called in sentences.

    Attributes:
        y: that of the labels.
        scores: that of the logits or probabilities.
        weight: that of the weights.
        where: says where a value of one of them stands.
    """

    y: str
    scores: str
    weight: str
    where: Where


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """n logits with their labels.

    Attributes:
        y: class numbers, shape (n,), 0 to k - 1.
        logits: finite, shape (n,) for two classes, the log-odds of class 1; else (n, k), each row
            up to a constant of its own.
        weight: weights >= 0, shape (n,); None means that each sample counts once.
        classes: their k names.
        exact: whether a probability was exactly 0 or 1, shape (n,).
        taken_for: what a probability of 0 was taken for: the rounding unit eps of the numbers that
            were given, 2.2e-16 in float64 and 1.2e-7 in float32, as scikit-learn's log_loss does.
            A true probability that was rounded to 0 or 1 is no farther from 1/2 than that unless it
            was smaller still, so losses of wrong samples are taken too low rather than too high.
            Where probabilities were clipped, what they were clipped to; nan if neither.
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
        naming: Naming | None = None,
    ) -> Predictions:
        """Predictions as a classifier gives them.

        Args:
            y_true: labels, shape (n,): 0 and 1 or booleans, or any two with `pos_label`; for
                k columns 0 to k - 1, or the names of the classes, or k labels in sorted order.
            logits: log-odds of class 1, shape (n,) or (n, 1), or a logit or log-probability of
                each class, shape (n, k). An infinite one is an exact probability.
            sample_weight: weights >= 0, shape (n,).
            probabilities: in place of logits: of class 1, or of each class.
            pos_label: of two classes, the label of class 1.
            classes: names of the classes, in the order of the columns.
            clip: clips probabilities to [clip, 1 - clip], as Keras does with 1e-7; None leaves
                them, but for those of exactly 0 and 1: see `taken_for`.
            naming: what the columns are called in sentences; None calls them as the arguments.

        Raises:
            InputError: something is missing, of a wrong length or kind, or out of its range; the
                sentence names the first offending value.
        """
        role = "logits" if probabilities is None else "probabilities"
        naming = naming or Naming("y_true", role, "sample_weight", element)
        odds = _odds(logits, probabilities, clip, naming)
        found = labels(naming.y, y_true, naming.where)
        weight = None if sample_weight is None else _weights(sample_weight, naming)
        _require_lengths(len(odds.exact), found.codes, weight, naming)
        split = classes_of(found, odds.columns, classes, pos_label)
        if weight is not None:
            _require_counted(split.y, weight)
        flipped = odds.columns == 2 and split.order == (1, 0)
        return cls(
            read_only(split.y),
            read_only(-odds.logits if flipped else odds.logits),
            weight,
            split.names,
            odds.exact,
            odds.taken_for,
        )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def binary(self) -> bool:
        """Whether there are two classes, and so one logit a sample."""
        return self.logits.ndim == 1

    @property
    def mass(self) -> Float[np.ndarray, " n"]:
        """The weight of each sample: 1 where there are no weights."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def with_weight(self) -> Predictions:
        """The samples whose weight is above 0."""
        weight = self.weight
        return self if weight is None or np.all(weight > 0) else self.only(weight > 0)

    def only(self, kept: Bool[np.ndarray, " n"]) -> Predictions:
        """Some of the samples; all classes keep their names."""
        return replace(
            self,
            y=self.y[kept],
            logits=self.logits[kept],
            weight=None if self.weight is None else self.weight[kept],
            exact=self.exact[kept],
        )

    @cached_property
    def sample(self) -> Sample:
        """Of two classes: the points (z, y)."""
        return Sample(self.logits, self.y, self.weight)


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
        path: a table as for `sweep.data.load`; an array of an NPZ file may have k columns.
        y: name of the column of labels; None takes `y` or `y_true`.
        logit: name of the column of logits, or what those of the classes begin with, before an
            underscore and the name of the class; None takes `logit` or `logits` if it is there.
        probability: the same of probabilities; None takes `probability` or `probabilities`.
        weight: name of the column of weights; None takes `weight` if it is there.
        pos_label: as for `Predictions.of`.
        clip: as for `Predictions.of`.

    Raises:
        InputError: the file is missing, not of its kind, or has no such columns, or has both
            logits and probabilities and neither was named; or `Predictions.of` refuses its
            content. Rows are counted from 1, without the header and empty lines.
    """
    path = Path(path)
    asked = {"y": y, "logit": logit, "probability": probability, "weight": weight}
    table = tables.read(path, partial(columns, asked))
    chosen = selection(asked, list(table))
    try:
        if len(table[chosen.y]) == 0:
            raise InputError(f"has no rows; at least {FEWEST} samples are needed")
        return _of_table(table, chosen, pos_label, clip)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _of_table(
    table: tables.Table, chosen: Selection, pos_label: Any | None, clip: float | None
) -> Predictions:
    def where(name: str, row: int) -> str:
        return f"{name} in row {row + 1}"

    each = [
        scores(repr(name), table[name], where, probable=chosen.probable) for name in chosen.scores
    ]
    given = each[0] if len(each) == 1 else np.column_stack(each)
    return Predictions.of(
        table[chosen.y],
        None if chosen.probable else given,
        None if chosen.weight is None else table[chosen.weight],
        probabilities=given if chosen.probable else None,
        pos_label=pos_label,
        classes=chosen.classes,
        clip=clip,
        naming=Naming(repr(chosen.y), repr(chosen.name), repr(chosen.weight), where),
    )


def _odds(
    logits: ArrayLike | None, probabilities: ArrayLike | None, clip: float | None, naming: Naming
) -> Logits:
    if clip is not None and not (isinstance(clip, Real) and 0 < clip < 0.5):
        raise InputError(f"clip={clip}: a probability between 0 and 0.5 is needed")
    if probabilities is None:
        if logits is None:
            raise InputError("neither logits nor probabilities are given; give one of them")
        if clip is not None:
            raise InputError("clip is of probabilities, and these are logits; leave it out")
        return of_logits(naming.scores, logits, naming.where)
    if logits is not None:
        raise InputError("both logits and probabilities are given; give one of them")
    return of_probabilities(naming.scores, probabilities, naming.where, clip)


def _weights(values: ArrayLike, naming: Naming) -> Float[np.ndarray, " n"]:
    given = array(naming.weight, values, "a weight for each sample")
    flat = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    weight = column(naming.weight, flat, naming.where)
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
        raise InputError("all samples whose weight is above 0 are of one class; both are needed")
