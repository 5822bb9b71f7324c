"""Hyperparameters: what training depends on besides the data, the seeds and the epochs.

Numbers such as the learning rate may differ between networks that are trained side by side; a value
that changes the program, such as the widths, is compiled separately (`ensemble`).
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from numbers import Real
from typing import Any

from sweep.base.errors import InputError
from sweep.base.families import Family, short
from sweep.base.ranges import whole_number
from sweep.metrics.metrics import METRICS, Smooth, metric
from sweep.training.choices import activation, optimizer, schedule

Setting = tuple[int, ...] | int | float | str | bool | None
"""The value of one hyperparameter."""

DTYPES = ("float32", "float64")
MOST_EPOCHS = 10**6
LARGEST_SEED = 2**32 - 1  # seeds are passed to JAX as uint32

WIDEST = 4096  # units of a layer
LARGEST = 1e38  # of numbers: float32 ends at 3.4e38


@dataclass(frozen=True)
class Hyperparameters:
    """How one network is trained; every value in its canonical form.

    Attributes:
        widths: units of each hidden layer; () is the logistic model.
        activation: activation of the hidden units, of `sweep.training.choices.ACTIVATIONS`.
        loss: what training minimises, a smooth metric of `sweep.metrics` without a penalty.
        optimizer: optimiser, of `sweep.training.choices.OPTIMIZERS`.
        learning_rate: learning rate at the start.
        schedule: course of the learning rate, of `sweep.training.choices.SCHEDULES`.
        batch: points per batch; None is the full set. The last batch of an epoch may have fewer.
        resample: whether points are drawn with replacement, both classes equally often.
        l1: penalty l1 * sum |w| of the weights; biases are not penalised.
        l2: penalty l2 / 2 * sum w^2 of the weights; biases are not penalised.
        dropout: probability that a step leaves out a hidden unit; the others are scaled up.
        noise: standard deviation of normal noise added to the inputs, drawn anew at each step.
        initial_bias: initial bias of hidden units; weights are Glorot-uniform, the output's bias 0.
    """

    widths: tuple[int, ...] = (3,)
    activation: str = "relu"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    schedule: str = "constant"
    batch: int | None = None
    resample: bool = False
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    noise: float = 0.0
    initial_bias: float = 0.0

    def __post_init__(self) -> None:
        for name, canonical in _CANONICAL.items():
            object.__setattr__(self, name, canonical(getattr(self, name)))


NAMES = tuple(field.name for field in fields(Hyperparameters))

NUMBERS: tuple[str, ...] = ("learning_rate", "l1", "l2", "dropout", "noise", "initial_bias")
"""Hyperparameters that may differ between networks trained side by side."""


def smooth_loss(loss: str) -> Smooth:
    """The metric that training minimises.

    Raises:
        InputError: no loss has this name, or it has no gradient, or has a penalty of its own.
    """
    if loss.partition("(")[0].strip() not in METRICS:
        raise InputError(f"there is no loss {loss!r}; the known ones are {_losses()}")
    minimised = metric(loss)
    if not isinstance(minimised, Smooth):
        raise InputError(f"loss is {loss}, which has no gradient; the losses are {_losses()}")
    if minimised.penalty is not None:
        raise InputError(f"loss is {loss}; use cross_entropy with l1 or l2 instead")
    return minimised


def _losses() -> str:
    """Valid losses, with the defaults of their parameters."""
    metrics = (m() if isinstance(m, Family) else m for m in METRICS.values())
    return ", ".join(m.name for m in metrics if isinstance(m, Smooth) and m.penalty is None)


def combinations(
    values: Mapping[str, Any],
) -> tuple[dict[str, tuple[Setting, ...]], list[Hyperparameters]]:
    """All combinations of hyperparameters, some of which have several values.

    Args:
        values: by name a value or a list of values. For widths, a list of lists is several networks
            and a list of numbers is one.

    Returns:
        The values of the hyperparameters given as lists, in the order of `NAMES`; and every
        combination, the last list changing fastest.

    Raises:
        InputError: a name is unknown, or a value is invalid or occurs twice.
    """
    _require_names(values)
    axes: dict[str, tuple[Setting, ...]] = {}
    fixed: dict[str, Any] = {}
    for name in (name for name in NAMES if name in values):
        value = values[name]
        if not _is_list(name, value):
            fixed[name] = _CANONICAL[name](value)
            continue
        axes[name] = tuple(_CANONICAL[name](item) for item in value)
        _require_distinct(name, axes[name])
    rows: list[dict[str, Any]] = [
        dict(zip(axes, items, strict=True)) for items in itertools.product(*axes.values())
    ]
    return axes, [Hyperparameters(**fixed, **row) for row in rows]


def single_combination(values: Mapping[str, Any]) -> Hyperparameters:
    """The only combination of hyperparameters.

    Raises:
        InputError: a hyperparameter has several values.
    """
    axes, (hyperparameters, *_) = combinations(values)
    for name in axes:
        raise InputError(f"{name} holds several values; give one here, or use sweep.train")
    return hyperparameters


def coordinate_value(name: str, value: Setting) -> float | str | bool:
    """A value as the coordinate of a dataset has it."""
    if name == "widths":
        assert isinstance(value, tuple)
        return "-".join(map(str, value)) or "none"
    if name == "batch":
        return "full" if value is None else str(value)
    assert isinstance(value, (float, str, bool))
    return value


def _require_names(names: Mapping[str, Any]) -> None:
    """Rejects names of no hyperparameter; suggests the nearest one, or lists all."""
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}"
            raise InputError(f"there is no hyperparameter {name!r}; {hint}")


def _is_list(name: str, value: Any) -> bool:
    """Whether a value is a list of values; one network has a list of widths already."""
    if not isinstance(value, (list, tuple)) and not hasattr(value, "tolist"):
        return False
    if name != "widths":
        return True
    return any(not isinstance(item, Real) for item in value)


def _require_distinct(name: str, values: Sequence[Setting]) -> None:
    if not values:
        raise InputError(f"{name} is empty; give at least one value")
    for k, value in enumerate(values):
        if value in values[:k]:
            raise InputError(f"{name} holds {coordinate_value(name, value)} twice; give it once")


def _widths(value: Any) -> tuple[int, ...]:
    if isinstance(value, str):
        layers = [] if value == "none" else value.split("-")
        if not all(layer.isdecimal() for layer in layers):
            raise InputError(
                f"widths is {value!r}; whole numbers with - between them, such as 16 or 16-16, or "
                "none are needed"
            )
        value = [int(layer) for layer in layers]
    units: list[Any] = [value] if isinstance(value, Real) else list(value)
    return tuple(whole_number("widths", n, 1, WIDEST) for n in units)


def _batch(value: Any) -> int | None:
    if value is None or value == "full":
        return None
    if isinstance(value, str):
        if not value.strip().isdecimal():
            raise InputError(f"batch is {value!r}; a whole number above 0, or full, is needed")
        value = int(value)
    return whole_number("batch", value, 1)


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; True or False is needed")
    return value


def _number(name: str, needed: str, valid: Callable[[float], bool], value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value) + 0.0  # no -0.0
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and valid(number)):
        shown = short(number) if isinstance(value, (int, float)) else repr(value)
        raise InputError(f"{name} is {shown}; {needed} is needed")
    if abs(number) > LARGEST:
        raise InputError(f"{name} is {short(number)}; {LARGEST:g} is the largest it may be")
    return number


def _not_negative(name: str) -> Callable[[Any], float]:
    return partial(_number, name, "a number that is not negative", lambda value: value >= 0)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}; a name is needed")
    return value


def _canonical() -> Iterator[tuple[str, Callable[[Any], Setting]]]:
    """(name, function from a value to its canonical form); the functions raise InputError."""
    yield "widths", _widths
    yield "activation", lambda text: activation(_text("activation", text)).name
    yield "loss", lambda text: smooth_loss(_text("loss", text)).name
    yield "optimizer", lambda text: optimizer(_text("optimizer", text)).name
    yield (
        "learning_rate",
        partial(_number, "learning_rate", "a number above 0", lambda value: value > 0),
    )
    yield "schedule", lambda text: schedule(_text("schedule", text)).name
    yield "batch", _batch
    yield "resample", partial(_boolean, "resample")
    yield "l1", _not_negative("l1")
    yield "l2", _not_negative("l2")
    yield (
        "dropout",
        partial(_number, "dropout", "a number from 0 to below 1", lambda value: 0 <= value < 1),
    )
    yield "noise", _not_negative("noise")
    yield "initial_bias", partial(_number, "initial_bias", "a finite number", lambda value: True)


_CANONICAL: dict[str, Callable[[Any], Setting]] = dict(_canonical())
