"""The loop of one network, against scikit-learn and against what one small step must do."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import sweep
from sweep.training.networks import initial_weights
from sweep.training.split import split
from tests.support.networks import SPLIT, X, Y, random_weights


def other_library(weights, epochs, **settings):
    """Losses before each epoch, and probabilities after the last, by scikit-learn."""
    network = MLPClassifier(
        tuple(w.shape[2] for w, _ in weights[:-1]),
        batch_size=len(X),
        shuffle=False,
        warm_start=True,
        n_iter_no_change=10**6,
        tol=0.0,
        max_iter=1,
        epsilon=1e-14,
        **settings,
    )
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        network.fit(X, Y)
        network.coefs_ = [w[0].copy() for w, _ in weights]
        network.intercepts_ = [b[0].copy() for _, b in weights]
        network.max_iter = epochs
        network.fit(X, Y)
    return np.array(network.loss_curve_[-epochs:]), network.predict_proba(X[::-1][:7])[:, 1]


@pytest.mark.parametrize(
    ("activation", "other", "optimizer", "settings", "rate", "l2"),
    [
        ("relu", "relu", "adam(eps=1e-14)", {"solver": "adam"}, 0.03, 0.0),
        ("tanh", "tanh", "adam(0.8,0.99,1e-14)", {"beta_1": 0.8, "beta_2": 0.99}, 0.02, 0.02),
        (
            "sigmoid",
            "logistic",
            "sgd(momentum=0.9)",
            {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False},
            0.1,
            0.01,
        ),
    ],
)
def test_every_epoch_is_that_of_another_library(activation, other, optimizer, settings, rate, l2):
    weights, epochs = random_weights(3, 5, 4, 1), 40
    ours = sweep.train(
        SPLIT,
        seeds=1,
        epochs=epochs,
        weights=weights,
        dtype="float64",
        widths=(5, 4),
        activation=activation,
        optimizer=optimizer,
        learning_rate=rate,
        l2=l2,
    )
    # Its penalty is divided by the points, and its losses are those before each epoch.
    losses, probabilities = other_library(
        weights,
        epochs,
        activation=other,
        learning_rate_init=rate,
        alpha=l2 * len(X),
        **settings,
    )
    assert ours.objective.values[0, :-1] == pytest.approx(losses[1:], rel=1e-9)
    logits = ours.validation_logits.values[0, 0]
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(probabilities, rel=1e-9)
    right = np.mean((logits > 0) == SPLIT.validation.y)
    assert ours.validation_accuracy.values[0, -1] == pytest.approx(right)
    assert ours.validation_loss.values[0, -1] == pytest.approx(
        np.mean(np.logaddexp(0, -logits * (2 * SPLIT.validation.y - 1))), rel=1e-12
    )


# --- one small step with a known effect ---------------------------------------------------------
# A logistic model with weights 0 has p = 1/2: a step of gradient descent on points (x, y) changes
# b by rate * mean(y - 1/2) and a by rate * mean((y - 1/2) x). Validation at x = 0 and 1 shows both.

RATE = 1e-3
READ = ([0.0, 1.0], [0, 1])


def stepped(x, y, seeds=1, epochs=1, after=-1, **settings):
    """Changes of b and of a, divided by the learning rate, shape (seeds,) or (seeds, ...)."""
    zeros = [(np.zeros((seeds, 1, 1)), np.zeros((seeds, 1)))]
    runs = sweep.train(
        split(x, y, *READ),
        seeds=seeds,
        epochs=epochs,
        weights=zeros,
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=RATE,
        **settings,
    ).validation_logits.values[..., after, :]
    return runs[..., 0] / RATE, (runs[..., 1] - runs[..., 0]) / RATE


def test_a_step_is_the_mean_over_the_points():
    b, a = stepped([1, 2, 4], [1, 1, 0])
    assert (b[0], a[0]) == (pytest.approx(1 / 6), pytest.approx(-1 / 6))


def test_batches_have_every_point_once_and_the_last_one_those_that_are_left():
    b, a = stepped([1, 10, 100], [1, 1, 1], seeds=60, batch=2)
    # The first step is of two points, the second of the third alone, all with y - 1/2 = 1/2.
    left = {1: 110 / 4 + 1 / 2, 10: 101 / 4 + 10 / 2, 100: 11 / 4 + 100 / 2}
    nearest = [min(left, key=lambda point: abs(left[point] - change)) for change in a]
    # A second step sees what the first has done: that changes it by a tenth at most here.
    assert np.all(np.abs(a / [left[point] for point in nearest] - 1) < 0.15)
    assert set(nearest) == {1, 10, 100}
    assert b == pytest.approx(np.ones(60), rel=0.1)


def test_batches_differ_from_epoch_to_epoch():
    kept = {"epochs": 2, "keep": [1, 2]}
    one, two = (
        stepped([1, 10, 100], [1, 1, 1], seeds=30, batch=1, after=k, **kept)[1] for k in (0, 1)
    )
    again = np.round(two - one)
    assert len(set(again.tolist())) > 1


def test_resampled_batches_have_both_classes_alike_often():
    x, y = np.zeros(40), np.repeat([1, 0], [2, 38])
    b, _ = stepped(x, y, seeds=300, resample=True)
    share = b + 1 / 2
    assert np.all(np.abs(share * 40 - np.round(share * 40)) < 1e-9)
    assert abs(share.mean() - 1 / 2) < 4 * 0.5 / np.sqrt(300 * 40)
    plain, _ = stepped(x, y)
    assert plain[0] == pytest.approx(2 / 40 - 1 / 2)


def test_noise_is_added_to_the_inputs_of_training_only():
    b, a = stepped([3.0], [1], seeds=500, noise=[0.0, 0.5])
    assert b == pytest.approx(np.full((500, 2), 0.5))
    assert a[:, 0] == pytest.approx(np.full(500, 1.5))
    assert abs(2 * a[:, 1].mean() - 3) < 4 * 0.5 / np.sqrt(500)
    assert np.std(2 * a[:, 1]) == pytest.approx(0.5, rel=0.15)


def test_dropout_leaves_units_out_and_scales_the_others_up():
    seeds, rate = 400, 0.3
    weights = [
        (np.full((seeds, 1, 1), 1.0), np.zeros((seeds, 1))),
        (np.full((seeds, 1, 1), 2.0), np.zeros((seeds, 1))),
    ]
    runs = sweep.train(
        split([1.0], [1], [0.0], [1]),
        seeds=seeds,
        epochs=1,
        weights=weights,
        dtype="float64",
        widths=(1,),
        optimizer="sgd",
        learning_rate=1e-6,
        dropout=rate,
        activation="tanh",
    )
    change = runs.validation_logits.values[:, 0, 0] / 1e-6
    z = 2 * np.tanh(1) / (1 - rate)
    # Without the unit p = 1/2 and only the last bias changes; with it b of the hidden unit too.
    bias = 1 - 1 / (1 + np.exp(-z))
    inner = bias * 2 / (1 - rate) * (1 - np.tanh(1) ** 2) * 2
    out = np.isclose(change, 0.5, rtol=1e-4)
    assert np.all(out | np.isclose(change, bias + inner, rtol=1e-4))
    assert abs(out.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / seeds)


def test_penalties_pull_weights_and_not_biases():
    weights = [(np.full((1, 1, 1), -2.0), np.full((1, 1), 3.0))]
    at = {}
    for l1, l2 in ((0.0, 0.0), (0.7, 0.0), (0.0, 0.4)):
        runs = sweep.train(
            split([1.0, 2.0], [0, 1], *READ),
            seeds=1,
            epochs=1,
            weights=weights,
            dtype="float64",
            widths=(),
            optimizer="sgd",
            learning_rate=RATE,
            l1=l1,
            l2=l2,
        )
        z = runs.validation_logits.values[0, 0]
        at[l1, l2] = z[0], z[1] - z[0]
        a = at[l1, l2][1]
        penalty = l1 * abs(a) + l2 / 2 * a * a
        assert runs.objective.values[0, 0] - runs.loss.values[0, 0] == pytest.approx(penalty)
    for (l1, l2), (b, a) in at.items():
        assert b == at[0.0, 0.0][0]
        assert (a - at[0.0, 0.0][1]) / RATE == pytest.approx(l1 + 2.0 * l2)


def test_a_penalty_leaves_a_weight_of_0_where_it_is():
    b, a = stepped([-1, 1], [1, 1], l1=0.7)
    assert (b[0], a[0]) == (pytest.approx(1 / 2), 0.0)


@pytest.mark.parametrize(
    "loss",
    [
        "cross_entropy",
        "brier",
        "focal(gamma=2)",
        "weighted_cross_entropy(w0=1,w1=5)",
        "smoothed_cross_entropy(epsilon=0.2)",
    ],
)
def test_what_is_minimised_is_the_metric_of_the_landscape(loss):
    x, y = np.array([-1.0, 0.3, 0.5, 2.0]), np.array([0, 1, 0, 1])
    a, b = 1.7, -0.4
    runs = sweep.train(
        split(x, y, *READ),
        seeds=1,
        epochs=1,
        weights=[(np.full((1, 1, 1), a), np.full((1, 1), b))],
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=1e-12,
        loss=loss,
    )
    cell = sweep.landscape(sweep.Sample(x, y), [a], [b], [loss, "cross_entropy"])
    assert runs.objective.item() == pytest.approx(cell[loss].item(), rel=1e-9)
    assert runs.loss.item() == pytest.approx(cell["cross_entropy"].item(), rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "share"),
    [
        ("constant", lambda t: np.ones_like(t)),
        ("cosine(final=0.01)", lambda t: 0.01 + 0.99 * (1 + np.cos(np.pi * t)) / 2),
        ("exponential(final=0.01)", lambda t: 0.01**t),
        ("linear(final=0.01)", lambda t: 1 - 0.99 * t),
        (
            "warmup_cosine(share=0.25,final=0.01)",
            lambda t: np.where(
                t < 0.25, 4 * t, 0.01 + 0.99 * (1 + np.cos(np.pi * (4 * t - 1) / 3)) / 2
            ),
        ),
    ],
)
def test_a_schedule_scales_the_steps(schedule, share):
    epochs = 8
    runs = sweep.train(
        split([0.0], [1], [0.0], [1]),
        seeds=1,
        epochs=epochs,
        keep=range(1, epochs + 1),
        weights=[(np.zeros((1, 1, 1)), np.zeros((1, 1)))],
        dtype="float64",
        widths=(),
        optimizer="sgd",
        learning_rate=1e-12,
        schedule=schedule,
    )
    b = np.concatenate([[0.0], runs.validation_logits.values[0, :, 0]])
    assert np.diff(b) / 0.5e-12 == pytest.approx(share(np.arange(epochs) / epochs), rel=1e-10)


def test_an_infinite_logit_is_divergence_though_its_loss_is_0():
    runs = sweep.train(
        split([9.0], [1], [9.0], [1]),
        seeds=1,
        epochs=1,
        weights=[(np.full((1, 1, 1), 3e38), np.zeros((1, 1)))],
        widths=(),
    )
    assert (runs.validation_loss.item(), runs.diverged_epoch.item()) == (0.0, 1.0)
    assert np.isnan(runs.validation_accuracy.item())


def test_weights_are_glorot_uniform_and_biases_zero():
    (w, b), (v, c) = initial_weights(jax.random.key(0), (40, 60, 1), jnp.float32(0.0))
    most = np.sqrt(6 / 100)
    assert np.abs(w).max() <= most
    assert np.std(w) == pytest.approx(most / np.sqrt(3), rel=0.03)
    assert np.abs(v).max() <= np.sqrt(6 / 61)
    assert not b.any()
    assert not c.any()
