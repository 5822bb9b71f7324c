"""Causes for which loss and accuracy disagree, with the remedies that people recommend.

The direction of each remedy is the one that its source claims; `effects` measures whether it holds
here. The strengths of causes were chosen on seeds 0 to 99, so that the causes are recognised, and
are tried on other seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sweep.training.hyperparameters import Hyperparameters
from sweep.training.problems import PROBLEMS, Problem

Direction = Literal["up", "down", "none"]  # in which a remedy is said to change a metric


@dataclass(frozen=True)
class Remedy:
    """Something that people do about a cause.

    Attributes:
        name: name of the remedy.
        said: direction in which it is said to change loss and accuracy of the test set, and perhaps
            balanced_accuracy of the validation set.
        source: who says so.
        change: hyperparameters that it changes.
        stops_early: whether networks are judged after the epoch of the least validation loss.
    """

    name: str
    said: Mapping[str, Direction]
    source: str
    change: Mapping[str, Any] = field(default_factory=dict)
    stops_early: bool = False


@dataclass(frozen=True)
class Cause:
    """A reason why loss and accuracy disagree, as an experiment.

    Attributes:
        name: name by which it is chosen.
        title: short description.
        code: code of the finding with which `sweep.diagnose` must recognise it.
        problem: what networks learn, a name of `sweep.training.problems.PROBLEMS`.
        hyperparameters: hyperparameters without a remedy.
        remedies: what people do about it; the first one changes the course of training most.
        blind: whether accuracy does not show it, so that balanced accuracy is measured too.
    """

    name: str
    title: str
    code: str
    problem: str
    hyperparameters: Mapping[str, Any]
    remedies: tuple[Remedy, ...]
    blind: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that networks are judged by."""
        return ("loss", "accuracy", *(("balanced_accuracy",) if self.blind else ()))

    @property
    def drawn(self) -> Problem:
        """The problem itself."""
        return PROBLEMS[self.problem]

    @property
    def combinations(self) -> list[Hyperparameters]:
        """What is trained: without a remedy, and with each that does more than stop early."""
        changes = [{}, *(remedy.change for remedy in self.remedies if not remedy.stops_early)]
        return [Hyperparameters(**{**self.hyperparameters, **change}) for change in changes]


BETTER: Mapping[str, Direction] = {"loss": "down", "accuracy": "up"}
"""What most remedies are said to do."""

CALMER: Mapping[str, Direction] = {"loss": "down", "accuracy": "none"}
"""What remedies that only lower confidence are said to do."""

TOWARDS_RARE: Mapping[str, Direction] = {
    "loss": "up",
    "accuracy": "down",
    "balanced_accuracy": "up",
}
"""What remedies that move predictions towards a rare class are said to do."""

STOP = Remedy(
    "early stopping", BETTER, "Prechelt 1998, Early stopping: but when?", stops_early=True
)
WEIGHT_DECAY = "Krogh & Hertz 1991, A simple weight decay can improve generalization"
DROPOUT = "Srivastava et al. 2014, Dropout, JMLR 15"
SMOOTHING = "Szegedy et al. 2016, Rethinking the inception architecture; Müller et al. 2019"

IMBALANCE = Cause(
    "imbalance",
    "Class imbalance: 95 of 100 points belong to one class",
    "imbalanced",
    "imbalanced",
    {"widths": (16,), "learning_rate": 0.015},
    (
        Remedy(
            "class weights",
            TOWARDS_RARE,
            "King & Zeng 2001, Logistic regression in rare events data",
            {"loss": "weighted_cross_entropy(w0=0.5,w1=9.5)"},
        ),
        Remedy(
            "resampling",
            TOWARDS_RARE,
            "He & Garcia 2009, Learning from imbalanced data",
            {"resample": True},
        ),
        Remedy(
            "focal loss",
            {"loss": "down", "accuracy": "none", "balanced_accuracy": "up"},
            "Lin et al. 2017, Focal loss; Mukhoti et al. 2020, Calibrating by focal loss",
            {"loss": "focal(gamma=2)"},
        ),
    ),
    blind=True,
)

OVERFITTING = Cause(
    "overfitting",
    "Overfitting: a wide network learns 60 points by heart",
    "overfitting",
    "few_points",
    {"widths": (16,), "learning_rate": 0.02},
    (
        Remedy("L2 penalty", BETTER, WEIGHT_DECAY, {"l2": 0.05}),
        Remedy("dropout", BETTER, DROPOUT, {"dropout": 0.5}),
        Remedy("L1 penalty", BETTER, "Tibshirani 1996, The lasso; Ng 2004", {"l1": 0.01}),
        Remedy(
            "noise on inputs",
            BETTER,
            "Bishop 1995, Training with noise is equivalent to Tikhonov regularization",
            {"noise": 1.0},
        ),
        STOP,
    ),
)

CONFIDENT = Cause(
    "confident_errors",
    "Confident errors: a few points on the wrong side make the loss",
    "few_samples_dominate",
    "strays",
    {"widths": (16,), "learning_rate": 0.02},
    (
        Remedy("label smoothing", CALMER, SMOOTHING, {"loss": "smoothed_cross_entropy"}),
        Remedy("L2 penalty", CALMER, WEIGHT_DECAY, {"l2": 0.01}),
        Remedy("early stopping", CALMER, STOP.source, stops_early=True),
    ),
)

DEAD = Cause(
    "dead_activations",
    "Dead activations: every relu is 0 for all inputs",
    "constant_predictions",
    "two_clouds",
    {"widths": (16,), "learning_rate": 0.01, "initial_bias": -5.0},
    (
        Remedy(
            "leaky relu",
            BETTER,
            "Maas et al. 2013, Rectifier nonlinearities",
            {"activation": "leaky_relu"},
        ),
        Remedy(
            "biases from 0",
            BETTER,
            "Glorot & Bengio 2010, Understanding the difficulty of training",
            {"initial_bias": 0.0},
        ),
        Remedy(
            "lower rate",
            BETTER,
            "Stanford CS231n, notes on neural networks",
            {"learning_rate": 0.001},
        ),
    ),
)

RATE = Cause(
    "learning_rate",
    "Learning rate too high: steps overshoot, again and again",
    "diverging",
    "overlapping",
    {
        "widths": (16,),
        "activation": "tanh",
        "optimizer": "sgd",
        "learning_rate": 30.0,
        "batch": 10,
    },
    (
        Remedy(
            "lower rate",
            BETTER,
            "LeCun et al. 1998, Efficient backprop",
            {"learning_rate": 0.3},
        ),
        Remedy(
            "cosine schedule",
            BETTER,
            "Loshchilov & Hutter 2017, SGDR",
            {"schedule": "cosine"},
        ),
    ),
)

NOISE = Cause(
    "label_noise",
    "Label noise: one label in five is wrong, and is learned by heart",
    "overconfident",
    "noisy_labels",
    {"widths": (32,), "learning_rate": 0.03},
    (
        Remedy("L2 penalty", BETTER, WEIGHT_DECAY, {"l2": 0.02}),
        Remedy("dropout", BETTER, DROPOUT, {"dropout": 0.5}),
        Remedy(
            "label smoothing",
            BETTER,
            "Lukasik et al. 2020, Does label smoothing mitigate label noise?",
            {"loss": "smoothed_cross_entropy(epsilon=0.2)"},
        ),
        STOP,
    ),
)

SMALL = Cause(
    "small_model",
    "Too small a model: without hidden units it learns no interaction",
    "refinement_limited",
    "interaction",
    {"widths": (), "learning_rate": 0.05},
    (
        Remedy(
            "16 hidden units",
            BETTER,
            "Goodfellow et al. 2016, Deep learning, section 11.4",
            {"widths": (16,)},
        ),
        Remedy(
            "higher rate",
            BETTER,
            "Goodfellow et al. 2016, Deep learning, section 11.4",
            {"learning_rate": 0.5},
        ),
    ),
)

_CAUSES = (IMBALANCE, OVERFITTING, CONFIDENT, DEAD, RATE, NOISE, SMALL)

CAUSES = {cause.name: cause for cause in _CAUSES}
