"""`sweep train`: experiments with networks, and the options that several of them have.

An experiment is a function in a module of its own, which is imported when it is asked for: those
who ask for help wait for none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from sweep.cli.app import app
from sweep.cli.options import integer

train = App(
    name="train",
    help="Networks by the thousand: how loss and accuracy part during training.",
    help_format="plaintext",
)
app.command(train)

EXPERIMENTS = {
    "outlier": """One point makes the loss rise while accuracy holds, and how often.

    The published data with an outlier in validation, learnt by small networks from
    many initial weights. Options of the network replace what was published: 3 relu
    units, adam at a learning rate of 0.05, all 20 points in one batch.
    """,
    "digits": """Loss and accuracy rise together, on images of digits.

    Odd against even digits, learnt by heart from 150 images: from epoch 50 to the
    last one, of how many networks validation loss and validation accuracy both
    rise. Each seed has its own split and weights. Options of the network replace
    layers of 32 and 32 relu units, and adam at a learning rate of 0.003, all
    images in one batch.
    """,
    "causes": """What makes loss and accuracy part, and what its remedies change.

    Seven causes that people name, each trained on data drawn anew for every seed;
    and the remedies that people name, on the same data: what they change of the
    test set, and whether that is what is said of them. The causes are imbalance,
    overfitting, confident_errors, dead_activations, learning_rate, label_noise and
    small_model.
    """,
    "paths": """Where gradient descent and Adam go on the landscapes of (a, b).

    They descend cross-entropy, with and without a penalty, and pass over the steps
    of accuracy. Without DATA: on the second illustration; and on 6 points of the
    same model, watched on that illustration, which a cut separates, so that the
    slope grows without bound; then --animation shows these.
    """,
}
"""What is asked for, with its help; its function has its name, in the module train_NAME, which is
not imported to list them."""

for _name, _help in EXPERIMENTS.items():
    train.command(f"sweep.cli.train_{_name}:{_name}", name=_name, help=cleandoc(_help))


@Parameter(name="*")
@dataclass(frozen=True)
class Network:
    """Hyperparameters as options; what is not given is as the experiment has it.

    Attributes:
        widths: units of each hidden layer.
        activation: of the hidden units.
        loss: what is minimised.
        optimizer: of the weights.
        learning_rate: at the start.
        schedule: of the learning rate.
        batch: points of a batch.
        resample: whether classes are drawn alike often.
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
        Parameter(help="What is minimised (default: cross_entropy), such as focal(gamma=2)."),
    ] = None
    optimizer: Annotated[str | None, Parameter(help="adam, sgd or rmsprop.")] = None
    learning_rate: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="At the start."),
    ] = None
    schedule: Annotated[
        str | None,
        Parameter(help="constant (default), cosine, exponential, linear or warmup_cosine."),
    ] = None
    batch: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Points of a batch, or full (default)."),
    ] = None
    resample: Annotated[
        bool | None, Parameter(negative="", help="Draw points, both classes equally often.")
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
        Parameter(allow_leading_hyphen=True, help="Share of hidden units left out (default: 0)."),
    ] = None
    noise: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Its sd, added to the inputs (default: 0)."),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that are given."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}


Seeds = Annotated[
    int, Parameter(name="--seeds", converter=integer, help="Networks, each of its own seed.")
]
Epochs = Annotated[int, Parameter(name="--epochs", converter=integer, help="Of training.")]
Folder = Annotated[
    Path | None, Parameter(name="--out", help="Write figures (.png) and the dataset (.nc) here.")
]
