"""Converts labels of any kind to class numbers.

For two classes with labels other than 0 and 1, the user must say which class the logit favours. For
k columns of logits, the order of the columns says it: the order of the class names or, as in
scikit-learn, of the sorted labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped
from numpy.typing import ArrayLike

from sweep.base.errors import InputError
from sweep.data.columns import Where, array, refuse, require_finite, require_kind

SHOWN = 6  # labels that an error message lists


class Labels(NamedTuple):
    """The labels of n samples."""

    name: str  # name of their column
    codes: Int[np.ndarray, " n"]  # index of each label in `distinct`, shape (n,)
    distinct: tuple[Any, ...]  # different labels, ascending: all numbers, or all texts
    where: Where  # locates a label in an error message

    def renumbered(self, numbers: Sequence[int]) -> Int[np.ndarray, " n"]:
        """Class numbers of the samples, given the number of each distinct label."""
        return np.asarray(numbers, np.int64)[self.codes]


class Classes(NamedTuple):
    """Classes of n samples."""

    y: Int[np.ndarray, " n"]  # class numbers, shape (n,)
    names: tuple[str, ...]  # names of the classes
    order: tuple[int, ...]  # column of logits of each class; (1, 0) if class 1 is in column 0


def labels(name: str, values: ArrayLike, where: Where) -> Labels:
    """Reads the labels of a column."""
    column = array(name, values, "one label for each sample", flat=True)
    if column.ndim != 1:
        raise InputError(f"{name} has shape {column.shape}; one label for each sample is needed")
    if column.dtype.kind in "OUST":
        return _of_cells(name, column.tolist(), where)
    require_kind(name, column)
    return _of_numbers(name, column, where)


def classes(
    labels: Labels, columns: int, names: Sequence[Any] | None, positive: Any | None
) -> Classes:
    """Class numbers and names."""
    k = max(2, columns)
    if len(labels.distinct) == 1:
        raise InputError(
            f"{labels.name} holds one class only ({_quoted(labels.distinct[0])}); "
            "samples of each class are needed"
        )
    if positive is not None and k > 2:
        raise InputError(f"pos_label is for two classes, but there are {k} columns; leave it out")
    if columns == 1 and names is None:
        return _from_one_column(labels, positive)
    numbered = _from_columns(labels, k, names)
    if positive is None:
        return numbered
    if not _same(positive, numbered.names[0]):
        _require_among(positive, numbered.names)
        return numbered
    y, (first, second), _ = numbered
    return Classes(1 - y, (second, first), (1, 0))


def _of_numbers(name: str, values: Shaped[np.ndarray, " n"], where: Where) -> Labels:
    if values.dtype.kind == "f":
        require_finite(name, values, where)
        refuse(
            values != np.floor(values),
            name,
            values,
            "is not a class; each sample needs a class, not a soft label",
            where,
        )
    ones = values == 1
    if np.all(ones | (values == 0)) and ones.any() and not ones.all():
        flags = (False, True) if values.dtype.kind == "b" else (0, 1)
        return Labels(name, ones.astype(np.int64), flags, where)
    distinct, codes = np.unique(values, return_inverse=True)
    kind = bool if values.dtype.kind == "b" else int
    return Labels(name, codes.astype(np.int64), tuple(map(kind, distinct.tolist())), where)


def _of_cells(name: str, cells: list[Any], where: Where) -> Labels:
    row = next((row for row, cell in enumerate(cells) if _missing(cell)), None)
    if row is not None:
        raise InputError(f"{where(name, row)} is missing; each sample needs a label")
    if cells and all(isinstance(cell, Real) for cell in cells):
        flags = all(isinstance(cell, bool) for cell in cells)
        return _of_numbers(name, np.asarray(cells, bool if flags else np.float64), where)
    texts = [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in cells]
    distinct = sorted(set(texts))
    code = {text: index for index, text in enumerate(distinct)}
    codes = np.fromiter(map(code.__getitem__, texts), np.int64, len(texts))
    return Labels(name, codes, tuple(distinct), where)


def _missing(cell: Any) -> bool:
    """Whether a cell is None, nan or pandas.NA, whose comparison has no truth value."""
    try:
        return cell is None or bool(cell != cell)
    except TypeError:
        return True


def _from_one_column(labels: Labels, positive: Any | None) -> Classes:
    """The two classes of one column of logits, which are the log-odds of class 1."""
    if len(labels.distinct) > 2:
        rarest = int(np.argmin(np.bincount(labels.codes)))
        row = int(np.argmax(labels.codes == rarest))
        raise InputError(
            f"{labels.name} holds {len(labels.distinct)} labels ({_listed(labels.distinct)}), but "
            "one column of logits has two classes; give a column for each class, or correct "
            f"{labels.where(labels.name, row)}, which is {_quoted(labels.distinct[rarest])}"
        )
    first, second = list(labels.distinct)
    if positive is None:
        if (first, second) != (0, 1):
            raise InputError(
                f"the labels are {_quoted(first)} and {_quoted(second)}; "
                "say which of them is class 1 by pos_label= (--pos-label)"
            )
        return Classes(labels.codes, (str(first), str(second)), (0, 1))
    if _same(positive, second):
        return Classes(labels.codes, (str(first), str(second)), (0, 1))
    _require_among(positive, labels.distinct)
    return Classes(1 - labels.codes, (str(second), str(first)), (0, 1))


def _from_columns(labels: Labels, k: int, names: Sequence[Any] | None) -> Classes:
    """The k classes of k columns of logits, in the order of the columns."""
    if names is not None and len(set(map(str, names))) != k:
        raise InputError(
            f"there are {len(set(map(str, names)))} different names of classes, "
            f"and {k} columns of logits; give each column a name of its own"
        )
    order = tuple(range(k))
    keys = order if names is None else tuple(names)
    texts = tuple(map(str, keys))
    numbers = [_index(label, keys) for label in labels.distinct]
    if None not in numbers:
        return Classes(labels.renumbered([i for i in numbers if i is not None]), texts, order)
    if all(type(label) is int and 0 <= label < k for label in labels.distinct):
        return Classes(labels.renumbered(labels.distinct), texts, order)
    if names is None and len(labels.distinct) == k:
        return Classes(labels.codes, tuple(map(str, labels.distinct)), order)
    if names is None:
        raise InputError(
            f"{labels.name} holds {len(labels.distinct)} classes ({_listed(labels.distinct)}), "
            f"but there are {k} columns; give the names of the columns as classes="
        )
    unknown = numbers.index(None)
    row = int(np.argmax(labels.codes == unknown))
    raise InputError(
        f"{labels.where(labels.name, row)} is {_quoted(labels.distinct[unknown])}, "
        f"which is none of the classes {_listed(texts)}"
    )


def _index(label: Any, names: Sequence[Any]) -> int | None:
    return next((index for index, name in enumerate(names) if _same(name, label)), None)


def _require_among(positive: Any, distinct: Sequence[Any]) -> None:
    if not any(_same(positive, label) for label in distinct):
        raise InputError(
            f"pos_label {_quoted(positive)} is none of the labels, which are {_listed(distinct)}"
        )


def _same(label: Any, other: Any) -> bool:
    """Whether both are the same label; the command line and file headers turn labels into texts."""
    if label == other or str(label) == str(other):
        return True
    if isinstance(label, str) == isinstance(other, str):
        return False
    try:
        return float(label) == float(other)
    except (TypeError, ValueError):
        return False


def _listed(distinct: Sequence[Any]) -> str:
    shown = ", ".join(map(_quoted, distinct[:SHOWN]))
    return f"{shown}, ..." if len(distinct) > SHOWN else shown


def _quoted(label: Any) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)
