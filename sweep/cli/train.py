"""`sweep train`: its subcommands and their common options."""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from sweep.cli.commands import TRAIN_COMMANDS, TRAIN_HELP
from sweep.cli.options import integer

train = App(name="train", help=TRAIN_HELP, help_format="plaintext")
for _name, (_target, _help) in TRAIN_COMMANDS.items():
    train.command(_target, name=_name, help=cleandoc(_help))


@Parameter(name="*")
@dataclass(frozen=True)
class Network:
    """Hyperparameters as options; the experiment has its own value for each that is not given.

    Attributes:
        widths: units of each hidden layer.
        activation: of the hidden units.
        loss: what is minimised.
        optimizer: of the weights.
        learning_rate: at the start.
        schedule: of the learning rate.
        batch: points of a batch.
        resample: whether both classes are drawn equally often.
        l1: penalty of the weights.
        l2: penalty of the weights.
        dropout: probability that a hidden unit is left out.
        noise: added to the inputs.
    """

    widths: Annotated[
        str | None, Parameter(help="Units of each hidden layer, such as 3 or 16-16, or none.")
    ] = None
    activation: Annotated[
        str | None, Parameter(help="relu, leaky_relu(slope=0.01), sigmoid or tanh.")
    ] = None
    loss: Annotated[
        str | None,
        Parameter(help="Loss to minimise, such as focal(gamma=2) (default: cross_entropy)."),
    ] = None
    optimizer: Annotated[str | None, Parameter(help="adam, sgd or rmsprop.")] = None
    learning_rate: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Learning rate at the start."),
    ] = None
    schedule: Annotated[
        str | None,
        Parameter(help="constant (default), cosine, exponential, linear or warmup_cosine."),
    ] = None
    batch: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Points in a batch, or full (default)."),
    ] = None
    resample: Annotated[
        bool | None,
        Parameter(negative="", help="Draw points so that both classes are equally frequent."),
    ] = None
    l1: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Penalty: l1 * sum |w| (default: 0)."),
    ] = None
    l2: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Penalty: l2 / 2 * sum w^2 (default: 0)."),
    ] = None
    dropout: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Fraction of hidden units dropped (default: 0)."),
    ] = None
    noise: Annotated[
        float | None,
        Parameter(
            allow_leading_hyphen=True, help="Standard deviation of noise on inputs (default: 0)."
        ),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The hyperparameters that are given."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


Seeds = Annotated[
    int, Parameter(name="--seeds", converter=integer, help="Networks to train, one for each seed.")
]
Epochs = Annotated[int, Parameter(name="--epochs", converter=integer, help="Epochs of training.")]
Folder = Annotated[
    Path | None,
    Parameter(name="--out", help="Write figures (.png) and datasets (.nc) to this directory."),
]
