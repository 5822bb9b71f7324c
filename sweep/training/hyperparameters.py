"""Hyperparameters: what training depends on besides the data, the seeds and the epochs.

Activations, optimisers and schedules are chosen by name: "relu", "leaky_relu(slope=0.1)". This
module knows which names and values are valid, so that a spec is checked without JAX; what a choice
computes stands where it runs: activations in `networks`, the rest in `loop`. Numbers such as the
learning rate may differ between networks that are trained side by side; a value that changes the
program, such as the widths, is compiled separately.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from sweep.base.errors import InputError
from sweep.base.families import Family, Parameter, parse_call, short
from sweep.base.ranges import whole_number
from sweep.metrics.metrics import METRICS, Smooth, metric

Setting = tuple[int, ...] | int | float | str | bool | None
"""The value of one hyperparameter."""

DTYPES = ("float32", "float64")
MOST_EPOCHS = 10**6
LARGEST_SEED = 2**32 - 1  # seeds are passed to JAX as uint32

WIDEST = 4096  # units of a layer
LARGEST = 1e38  # of numbers: float32 ends at 3.4e38


@dataclass(frozen=True)
class Choice:
    """A valid choice."""

    name: str  # canonical name, with all parameters: "leaky_relu(slope=0.1)"
    family: str  # name without parameters: "leaky_relu"
    values: tuple[float, ...]  # parameters in their order


def _family(name: str, *parameters: Parameter) -> Family[Choice]:
    def make(full_name: str, *values: float) -> Choice:
        return Choice(full_name if values else name, name, values)

    return Family(name, parameters, make)


def _by_name(*families: Family[Choice]) -> dict[str, Family[Choice]]:
    return {family.name: family for family in families}


_EPSILON = Parameter("eps", 1e-7, 1e-30, 1.0)  # Keras's default; optax's is 1e-8
_FINAL = Parameter("final", 0.01, 1e-30, 1.0)  # share of the learning rate that is left at the end

ACTIVATIONS = _by_name(
    _family("relu"),
    _family("leaky_relu", Parameter("slope", 0.01, 0.0, 1.0)),
    _family("sigmoid"),
    _family("tanh"),
)

OPTIMIZERS = _by_name(
    _family(
        "adam", Parameter("b1", 0.9, 0.0, 0.999999), Parameter("b2", 0.999, 0.0, 0.999999), _EPSILON
    ),
    _family("sgd", Parameter("momentum", 0.0, 0.0, 0.999999)),
    _family("rmsprop", Parameter("decay", 0.9, 0.0, 0.999999), _EPSILON),
)

SCHEDULES = _by_name(
    _family("constant"),
    _family("cosine", _FINAL),
    _family("exponential", _FINAL),
    _family("linear", _FINAL),
    _family("warmup_cosine", Parameter("share", 0.1, 0.0, 0.9), _FINAL),
)


CHOICES = {"activation": ACTIVATIONS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


def choice(kind: str, text: str) -> Choice:
    """The activation, optimiser or schedule that a text names; InputError lists the valid ones."""
    choices = CHOICES[kind]
    name, values, named = parse_call(text, kind, next(iter(choices)))
    if name not in choices:
        valid = ", ".join(f.signature if f.parameters else name for name, f in choices.items())
        raise InputError(f"there is no {kind} {text!r}; the known ones are {valid}")
    family = choices[name]
    if (values or named) and not family.parameters:
        raise InputError(f"{name} has no parameters; write {name} in place of {text!r}")
    return family(*values, **named)


@dataclass(frozen=True)
class Hyperparameters:
    """How one network is trained; every value in its canonical form.

    Attributes:
        widths: units of each hidden layer; () is the logistic model.
        activation: activation of the hidden units, of `ACTIVATIONS`.
        loss: what training minimises, a smooth metric of `sweep.metrics` without a penalty.
        optimizer: optimiser, of `OPTIMIZERS`.
        learning_rate: learning rate at the start.
        schedule: course of the learning rate, of `SCHEDULES`.
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
        for name in NAMES:
            object.__setattr__(self, name, canonical(name, getattr(self, name)))

    @property
    def structure(self) -> Hyperparameters:
        """The same with the numbers of `NUMBERS` left out: what a program is compiled for."""
        return Hyperparameters(**{n: getattr(self, n) for n in NAMES if n not in NUMBERS})


NAMES = tuple(field.name for field in fields(Hyperparameters))


def smooth_loss(loss: str) -> Smooth:
    """The metric that training minimises."""
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
    """The values of the hyperparameters given as lists, and every combination, the last fastest.

    For widths, a list of lists is several networks and a list of numbers is one.
    """
    _require_names(values)
    axes: dict[str, tuple[Setting, ...]] = {}
    fixed: dict[str, Any] = {}
    for name in (name for name in NAMES if name in values):
        value = values[name]
        if not _is_list(name, value):
            fixed[name] = canonical(name, value)
            continue
        axes[name] = tuple(canonical(name, item) for item in value)
        require_distinct(name, axes[name])
    rows: list[dict[str, Any]] = [
        dict(zip(axes, items, strict=True)) for items in itertools.product(*axes.values())
    ]
    return axes, [Hyperparameters(**fixed, **row) for row in rows]


def single_combination(values: Mapping[str, Any]) -> Hyperparameters:
    """The only combination of hyperparameters; raises InputError if one has several values."""
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


def require_distinct(name: str, values: Sequence[Setting]) -> None:
    """Rejects a list of values that is empty or holds one twice."""
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


_NOT_NEGATIVE = "a number that is not negative", lambda value: value >= 0

_NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "learning_rate": ("a number above 0", lambda value: value > 0),
    "l1": _NOT_NEGATIVE,
    "l2": _NOT_NEGATIVE,
    "dropout": ("a number from 0 to below 1", lambda value: 0 <= value < 1),
    "noise": _NOT_NEGATIVE,
    "initial_bias": ("a finite number", lambda value: True),
}
"""Of each number what is needed, in words and as a condition."""

NUMBERS = tuple(_NUMBERS)
"""Hyperparameters that may differ between networks trained side by side."""


def _number(name: str, value: Any) -> float:
    needed, valid = _NUMBERS[name]
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


def canonical(name: str, value: Any) -> Setting:
    """The canonical form of a hyperparameter's value; raises InputError if it is invalid."""
    if name in _NUMBERS:
        return _number(name, value)
    if name == "widths":
        return _widths(value)
    if name == "batch":
        return _batch(value)
    if name == "resample":
        return _boolean(name, value)
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}; a name is needed")
    return smooth_loss(value).name if name == "loss" else choice(name, value).name
