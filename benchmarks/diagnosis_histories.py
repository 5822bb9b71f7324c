"""Training histories with a known fault, drawn at random; they start at the loss of chance."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sweep.data.history import History

CHANCE = math.log(2)  # nats


def history(
    loss: ArrayLike,
    val_loss: ArrayLike | None = None,
    acc: ArrayLike | None = None,
    val_acc: ArrayLike | None = None,
) -> History:
    """A history of these columns, from epoch 1."""
    columns = [None if v is None else np.asarray(v, float) for v in (loss, val_loss, acc, val_acc)]
    assert columns[0] is not None
    return History(np.arange(1, len(columns[0]) + 1), columns[0], *columns[1:])


def fall(rng: np.random.Generator, epochs: int, drop: float) -> Float[np.ndarray, " m"]:
    """A fall from 1 almost to 1 - drop, exponential or as a power of the epoch."""
    t = np.arange(epochs) / epochs
    pace = rng.uniform(2, 20)
    course = np.exp(-pace * t) if rng.random() < 0.5 else (1 + pace * t) ** -1.5
    return 1 - drop * (1 - course)


def noise(rng: np.random.Generator, epochs: int, size: float) -> Float[np.ndarray, " m"]:
    """Noise around 1, white or with a correlation of 0.5 between neighbours."""
    e, correlation = rng.normal(size=epochs), rng.choice([0.0, 0.5])
    for i in range(1, epochs):
        e[i] = correlation * e[i - 1] + np.sqrt(1 - correlation**2) * e[i]
    return 1 + size * e


def healthy(rng: np.random.Generator, epochs: int) -> History:
    """Both losses fall and level off, with noise of 0.1% to 5% and a few outliers."""
    drop, gap = rng.uniform(0.25, 0.95), rng.uniform(1, 1.3)
    size = 10 ** rng.uniform(-3, -1.3)
    course = fall(rng, epochs, drop)
    loss = CHANCE * course * noise(rng, epochs, size)
    val_loss = CHANCE * gap * course * noise(rng, epochs, size)
    outliers = rng.random(epochs) < rng.choice([0.0, 0.03])
    outliers[-3:] = False
    val_loss[outliers] *= 1.5
    accuracy = 0.98 - 0.45 * course
    return history(loss, val_loss, accuracy, accuracy - 0.03 * abs(noise(rng, epochs, size)))


def overfitted(
    rng: np.random.Generator, epochs: int, strength: float, of_accuracy: float = -0.05
) -> tuple[History, int]:
    """(history, turn): from epoch `turn` on the validation loss rises by the share `strength`.

    The noise is at most a tenth of the rise, and the validation accuracy changes by `of_accuracy`.
    """
    size = min(0.02, strength / 10) * rng.uniform(0.1, 1)
    turn = int(epochs * rng.uniform(0.25, 0.6))
    t = np.arange(epochs)
    before = 0.4 + 0.3 * np.maximum(0, 1 - t / turn) ** 2
    after = np.maximum(0, t - turn) / (epochs - 1 - turn)
    val_loss = (before + 0.4 * strength * after) * noise(rng, epochs, size)
    loss = 0.7 * np.exp(-3 * t / epochs) * noise(rng, epochs, size)
    val_acc = 0.85 - 0.3 * np.maximum(0, 1 - t / turn) + of_accuracy * after
    return history(loss, val_loss, None, val_acc + 0.002 * rng.normal(size=epochs)), turn + 1


def rising(rng: np.random.Generator, epochs: int, strength: float) -> History:
    """The training loss falls, then rises by the share `strength` of the first loss."""
    size = min(0.03, strength / 10) * rng.uniform(0.1, 1)
    turn = int(epochs * rng.uniform(0, 0.6))
    t = np.arange(epochs)
    course = np.exp(-4 * np.minimum(t, turn) / epochs)
    course = course + strength * np.maximum(0, t - turn) / (epochs - 1 - turn)
    loss = CHANCE * course * noise(rng, epochs, size)
    return history(loss, loss * 1.1 * noise(rng, epochs, size))


def oscillating(rng: np.random.Generator, epochs: int, strength: float) -> History:
    """The training loss alternates by the share `strength` of the first loss."""
    t = np.arange(epochs)
    loss = CHANCE * (
        fall(rng, epochs, 0.5) + strength / 2 * (-1.0) ** t * np.minimum(1, 4 * t / epochs)
    )
    loss = loss * noise(rng, epochs, 0.01)
    return history(loss, loss * 1.1)


def stuck(
    rng: np.random.Generator, epochs: int, drop: float = 0.0, size: float = 0.01, start: float = 1.0
) -> History:
    """The training loss stays level but for a small drop; `start` multiplies the first one."""
    loss = CHANCE * np.linspace(1, 1 - drop, epochs) * noise(rng, epochs, size)
    loss[0] *= start
    val_loss = CHANCE * noise(rng, epochs, size)
    return history(loss, val_loss)
