"""Labels of any kind become class numbers: 0 and 1 as they are, others by name.

Two classes whose labels are not 0 and 1 do not say which of them a logit speaks for, so that must
be said; k columns of logits say it by their order, which is that of the names of the classes, or
of the sorted labels, as in scikit-learn.
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

SHOWN = 6
"""Labels that a sentence lists."""


class Labels(NamedTuple):
    """The labels of n samples.

    Attributes:
        name: of the column that they are from.
        codes: the place of each in `distinct`, shape (n,).
        distinct: the labels that there are, ascending: numbers, or else texts.
        where: says where one stands.
    """

    name: str
    codes: Int[np.ndarray, " n"]
    distinct: tuple[Any, ...]
    where: Where

    def renumbered(self, places: Sequence[int]) -> Int[np.ndarray, " n"]:
        """The class numbers, given that of each distinct label."""
        return np.asarray(places, np.int64)[self.codes]


class Classes(NamedTuple):
    """Samples by class.

    Attributes:
        y: class numbers, shape (n,).
        names: of the classes.
        order: the columns that they are in; (1, 0) if class 1 is in column 0.
    """

    y: Int[np.ndarray, " n"]
    names: tuple[str, ...]
    order: tuple[int, ...]


def labels(name: str, values: ArrayLike, where: Where) -> Labels:
    """Labels as they were given, of shape (n,) or (n, 1).

    Raises:
        InputError: one is missing, infinite or between two classes; or they are no column, or of a
            kind that cannot be told apart.
    """
    made = array(name, values, "one label for each sample")
    if made.ndim == 2 and made.shape[1] == 1:
        made = made[:, 0]
    if made.ndim != 1:
        raise InputError(f"{name} has shape {made.shape}; one label for each sample is needed")
    if made.dtype.kind in "OUST":
        return _of_cells(name, made.tolist(), where)
    require_kind(name, made)
    return _of_numbers(name, made, where)


def classes(
    found: Labels, columns: int, names: Sequence[Any] | None, positive: Any | None
) -> Classes:
    """Class numbers and names.

    Args:
        found: the labels.
        columns: columns of logits, k; 1 is two classes.
        names: of the classes, in the order of the columns; None takes the labels.
        positive: of two classes, the label of class 1.

    Raises:
        InputError: the labels are all the same, or do not go with the columns or the names.
    """
    k = max(2, columns)
    if len(found.distinct) == 1:
        raise InputError(
            f"{found.name} holds one class only ({_said(found.distinct[0])}); "
            "samples of each class are needed"
        )
    if positive is not None and k > 2:
        raise InputError(f"pos_label is of two classes, and there are {k} columns; leave it out")
    if columns == 1 and names is None:
        return _two(found, positive)
    numbered = _several(found, k, names)
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
            "is no class; each sample needs one, and no soft label",
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
    code = {text: place for place, text in enumerate(distinct)}
    codes = np.fromiter(map(code.__getitem__, texts), np.int64, len(texts))
    return Labels(name, codes, tuple(distinct), where)


def _missing(cell: Any) -> bool:
    """None, nan, or what pandas has for them, which is not even unequal to itself."""
    try:
        return cell is None or bool(cell != cell)
    except TypeError:
        return True


def _two(found: Labels, positive: Any | None) -> Classes:
    """Of one column of logits, which speak for class 1."""
    if len(found.distinct) > 2:
        rarest = int(np.argmin(np.bincount(found.codes)))
        row = int(np.argmax(found.codes == rarest))
        raise InputError(
            f"{found.name} holds {len(found.distinct)} labels ({_listed(found.distinct)}), but one "
            "column of logits is of two classes; give a column for each class, or correct "
            f"{found.where(found.name, row)}, which is {_said(found.distinct[rarest])}"
        )
    first, second = list(found.distinct)
    if positive is None:
        if (first, second) != (0, 1):
            raise InputError(
                f"the labels are {_said(first)} and {_said(second)}; "
                "say which of them is class 1 by pos_label= (--pos-label)"
            )
        return Classes(found.codes, (str(first), str(second)), (0, 1))
    if _same(positive, second):
        return Classes(found.codes, (str(first), str(second)), (0, 1))
    _require_among(positive, found.distinct)
    return Classes(1 - found.codes, (str(second), str(first)), (0, 1))


def _several(found: Labels, k: int, names: Sequence[Any] | None) -> Classes:
    """Of a column for each class, in the order of the classes."""
    if names is not None and len(set(map(str, names))) != k:
        raise InputError(
            f"there are {len(set(map(str, names)))} different names of classes, "
            f"and {k} columns of logits; give each column a name of its own"
        )
    given = tuple(range(k)) if names is None else tuple(names)
    called = tuple(map(str, given))
    places = [_place(label, given) for label in found.distinct]
    numbered = all(type(label) is int and 0 <= label < k for label in found.distinct)
    if None not in places:
        return Classes(found.renumbered([p for p in places if p is not None]), called, _up_to(k))
    if numbered:
        return Classes(found.renumbered(found.distinct), called, _up_to(k))
    if names is None and len(found.distinct) == k:
        return Classes(found.codes, tuple(map(str, found.distinct)), _up_to(k))
    if names is None:
        raise InputError(
            f"{found.name} holds {len(found.distinct)} classes ({_listed(found.distinct)}), "
            f"but there are {k} columns; give the names of the columns as classes="
        )
    stranger = places.index(None)
    row = int(np.argmax(found.codes == stranger))
    raise InputError(
        f"{found.where(found.name, row)} is {_said(found.distinct[stranger])}, "
        f"which is none of the classes {_listed(called)}"
    )


def _up_to(k: int) -> tuple[int, ...]:
    return tuple(range(k))


def _place(label: Any, names: Sequence[Any]) -> int | None:
    return next((place for place, name in enumerate(names) if _same(name, label)), None)


def _require_among(positive: Any, distinct: Sequence[Any]) -> None:
    if not any(_same(positive, label) for label in distinct):
        raise InputError(
            f"pos_label {_said(positive)} is none of the labels, which are {_listed(distinct)}"
        )


def _same(one: Any, other: Any) -> bool:
    """Whether both name one label, of which the command line and a file's header make texts."""
    if one == other or str(one) == str(other):
        return True
    if isinstance(one, str) == isinstance(other, str):
        return False
    try:
        return float(one) == float(other)
    except (TypeError, ValueError):
        return False


def _listed(distinct: Sequence[Any]) -> str:
    shown = ", ".join(map(_said, distinct[:SHOWN]))
    return f"{shown}, ..." if len(distinct) > SHOWN else shown


def _said(label: Any) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)
