"""Hyperparameters: what training depends on besides the data, the seed and the epochs.

Numbers such as the learning rate differ between networks that are trained side by side; what
changes the program that trains them, such as the widths, is compiled apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from numbers import Real
from typing import Any

from sweep.base.errors import InputError
from sweep.base.families import Family, short
from sweep.base.ranges import whole
from sweep.metrics.metrics import METRICS, Smooth, metric
from sweep.training.activations import activation
from sweep.training.optimizers import optimizer, schedule

Setting = tuple[int, ...] | int | float | str | bool | None
"""The value of one hyperparameter."""

WIDEST = 4096
"""Units of a layer at most."""

LARGEST = 1e38
"""Of numbers: float32 holds no larger one."""


@dataclass(frozen=True)
class Hyperparameters:
    """What one network is trained by; every value in its canonical form.

    Attributes:
        widths: units of each hidden layer; () is the logistic model.
        activation: of the hidden units, of `sweep.training.activations.ACTIVATIONS`.
        loss: what is minimised, a smooth metric of `sweep.metrics.metrics` without a penalty.
        optimizer: of `sweep.training.optimizers.OPTIMIZERS`.
        learning_rate: at the start.
        schedule: its course, of `sweep.training.optimizers.SCHEDULES`.
        batch: points of a batch; None is the full set. The last batch of an epoch may have fewer.
        resample: whether points are drawn with replacement, both classes alike often.
        l1: penalty l1 * sum |w| of the weights, biases apart.
        l2: penalty l2 / 2 * sum w^2 of the weights, biases apart.
        dropout: probability that a hidden unit is left out of a step, the others scaled up.
        noise: standard deviation of normal noise added to the inputs, drawn anew at each step.
        initial_bias: that of the hidden units; weights are Glorot-uniform, the output's bias is 0.
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
        for name, made in _CANONICAL.items():
            object.__setattr__(self, name, made(getattr(self, name)))


NAMES = tuple(field.name for field in fields(Hyperparameters))
"""Of all hyperparameters, in their order."""

NUMBERS: tuple[str, ...] = ("learning_rate", "l1", "l2", "dropout", "noise", "initial_bias")
"""Those that may differ between networks trained side by side."""


def smooth(loss: str) -> Smooth:
    """The metric that is minimised.

    Raises:
        InputError: there is none of that name, or it is no loss of single points.
    """
    if loss.partition("(")[0].strip() not in METRICS:
        raise InputError(f"there is no loss {loss!r}; the known ones are {_losses()}")
    found = metric(loss)
    if not isinstance(found, Smooth):
        raise InputError(f"loss is {loss}, which has no gradient; the losses are {_losses()}")
    if found.penalty is not None:
        raise InputError(f"loss is {loss}; ask for cross_entropy with l1 or l2 in its place")
    return found


def _losses() -> str:
    """What may be asked for, with the defaults of the parameters."""
    every = {name: one() if isinstance(one, Family) else one for name, one in METRICS.items()}
    return ", ".join(
        one.name for one in every.values() if isinstance(one, Smooth) and one.penalty is None
    )


def combinations(
    given: Mapping[str, Any],
) -> tuple[dict[str, tuple[Setting, ...]], list[Hyperparameters]]:
    """All combinations of hyperparameters of which several values are given in lists.

    Args:
        given: by name a value, or a list of them. For widths a list of lists is several networks,
            a list of numbers one.

    Returns:
        The values of those given in lists, in the order of `NAMES`; and every combination, the
        last of them changing fastest.

    Raises:
        InputError: a name is unknown, or a value cannot be or is there twice.
    """
    require_names(given)
    axes: dict[str, tuple[Setting, ...]] = {}
    fixed: dict[str, Any] = {}
    every: list[dict[str, Any]]
    for name in (name for name in NAMES if name in given):
        value = given[name]
        if not _several(name, value):
            fixed[name] = _CANONICAL[name](value)
            continue
        axes[name] = tuple(_CANONICAL[name](one) for one in value)
        _require_once(name, axes[name])
    every = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return axes, [Hyperparameters(**fixed, **one) for one in every]


def require_names(given: Mapping[str, Any]) -> None:
    """Refuses what is no hyperparameter.

    Raises:
        InputError: suggests the nearest, or lists all.
    """
    import difflib

    for name in given:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}"
            raise InputError(f"there is no hyperparameter {name!r}; {hint}")


def written(name: str, value: Setting) -> float | str | bool:
    """A value as the coordinate of a dataset."""
    if name == "widths":
        assert isinstance(value, tuple)
        return "-".join(map(str, value)) or "none"
    if name == "batch":
        return "full" if value is None else str(value)
    assert isinstance(value, (float, str, bool))
    return value


def _several(name: str, value: Any) -> bool:
    if not isinstance(value, (list, tuple)) and not hasattr(value, "tolist"):
        return False
    if name != "widths":
        return True
    return any(not isinstance(one, Real) for one in value)


def _require_once(name: str, values: Sequence[Setting]) -> None:
    if not values:
        raise InputError(f"{name} is empty; give at least one value")
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(f"{name} holds {written(name, value)} twice; give it once")


def _widths(value: Any) -> tuple[int, ...]:
    if isinstance(value, str):
        parts = [] if value == "none" else value.split("-")
        if not all(part.isdecimal() for part in parts):
            raise InputError(
                f"widths is {value!r}; whole numbers with - between them, such as 16 or 16-16, or "
                "none are needed"
            )
        value = [int(part) for part in parts]
    layers: list[Any] = [value] if isinstance(value, Real) else list(value)
    return tuple(whole("widths", one, 1, WIDEST) for one in layers)


def _batch(value: Any) -> int | None:
    if value is None or value == "full":
        return None
    if isinstance(value, str):
        if not value.strip().isdecimal():
            raise InputError(f"batch is {value!r}; a whole number above 0, or full, is needed")
        value = int(value)
    return whole("batch", value, 1)


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; True or False is needed")
    return value


def _number(name: str, needed: str, allowed: Callable[[float], bool], value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value) + 0.0
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and allowed(number)):
        shown = short(number) if isinstance(value, (int, float)) else repr(value)
        raise InputError(f"{name} is {shown}; {needed} is needed")
    if abs(number) > LARGEST:
        raise InputError(f"{name} is {short(number)}; {LARGEST:g} is the largest it may be")
    return number


def _not_negative(name: str) -> Callable[[Any], float]:
    return partial(_number, name, "a number that is not negative", lambda value: value >= 0)


def _canonical() -> Iterator[tuple[str, Callable[[Any], Setting]]]:
    yield "widths", _widths
    yield "activation", lambda text: activation(_text("activation", text)).name
    yield "loss", lambda text: smooth(_text("loss", text)).name
    yield "optimizer", lambda text: optimizer(_text("optimizer", text)).name
    yield (
        "learning_rate",
        partial(_number, "learning_rate", "a number above 0", lambda value: value > 0),
    )
    yield "schedule", lambda text: schedule(_text("schedule", text)).name
    yield "batch", _batch
    yield "resample", partial(_truth, "resample")
    yield "l1", _not_negative("l1")
    yield "l2", _not_negative("l2")
    yield (
        "dropout",
        partial(_number, "dropout", "a number from 0 to below 1", lambda value: 0 <= value < 1),
    )
    yield "noise", _not_negative("noise")
    yield "initial_bias", partial(_number, "initial_bias", "a finite number", lambda value: True)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}; a name is needed")
    return value


_CANONICAL: dict[str, Callable[[Any], Setting]] = dict(_canonical())
