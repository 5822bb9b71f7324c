"""The training loop of one network, as a function that JAX transforms and compiles.

A `Program` is everything that the code is compiled for; numbers such as the learning rate are
arguments. Optimisers and learning-rate schedules are those of optax. `ensemble` maps the loop over
seeds and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from sweep.training.hyperparameters import NUMBERS, Hyperparameters, choice, smooth_loss
from sweep.training.networks import (
    Weights,
    accuracy,
    activation_function,
    cross_entropy,
    dropout_masks,
    initial_weights,
    logits,
    mean_loss,
    penalty,
)


@dataclass(frozen=True)
class Program:
    """What the loop is compiled for, besides the shapes of its arguments."""

    structure: Hyperparameters  # of all networks, see `Hyperparameters.structure`
    sizes: tuple[int, ...]  # units of every layer, from the inputs to the one output
    used: frozenset[str]  # numbers that are not 0 in every network, except the learning rate
    epochs: int
    dtype: str  # of all numbers, "float32" or "float64"
    deterministic: bool = False  # whether bits must not depend on the number of threads


Schedule = Callable[[Any], Any]  # step, counted from 0 -> factor of the learning rate


def transformation(name: str) -> optax.GradientTransformation:
    """The optimiser of this name, without its learning rate."""
    optimizer = choice("optimizer", name)
    return _TRANSFORMATIONS[optimizer.family](*optimizer.values)


def schedule_function(name: str, steps: int) -> Schedule:
    """The schedule of this name over so many steps."""
    schedule = choice("schedule", name)
    return _SCHEDULES[schedule.family](*schedule.values, steps)


def _sgd(momentum: float) -> optax.GradientTransformation:
    return optax.trace(momentum) if momentum else optax.identity()


def _warmup_cosine(share: float, final: float, steps: int) -> Schedule:
    warmup = max(1, round(share * steps))
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, max(steps, warmup + 1), final)


_TRANSFORMATIONS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "sgd": _sgd,
    "rmsprop": partial(optax.scale_by_rms, eps_in_sqrt=False),
}

_SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": lambda steps: optax.constant_schedule(1.0),
    "cosine": lambda final, steps: optax.cosine_decay_schedule(1.0, steps, final),
    "exponential": lambda final, steps: optax.exponential_decay(1.0, steps, final),
    "linear": lambda final, steps: optax.linear_schedule(1.0, final, steps),
    "warmup_cosine": _warmup_cosine,
}


class PointsOnDevice(NamedTuple):
    """Points on the device: x of shape (n, d), y of 0 and 1 of shape (n,)."""

    x: Any
    y: Any


class Recorded(NamedTuple):
    """What is recorded of one network; of several with more axes in front."""

    objective: Any  # what training minimises, penalties included, after each epoch
    losses: Any  # cross-entropy of each set in nats after each epoch, shape (sets, epochs)
    accuracies: Any  # accuracy of each set after each epoch, shape (sets, epochs)
    logits: Any  # of the validation set after the kept epochs, shape (kept, m)
    best: Any  # logits of the validation set after the epoch of its least cross-entropy, shape (m,)


class _State(NamedTuple):
    """What goes from epoch to epoch."""

    trained: tuple[Any, Any]  # weights, and the moments of the optimiser
    logits: Any
    best: Any
    least_loss: Any


def train_one(
    program: Program,
    sets: tuple[PointsOnDevice, ...],
    numbers: Float[Array, " numbers"],
    seed: Shaped[Array, ""],
    kept: Int[Array, " c"],
    weights: Weights | None,
) -> Recorded:
    """Trains one network; `numbers` are in the order of `NUMBERS`, None draws the weights."""
    weights_key, training_key = jax.random.split(jax.random.key(seed))
    loop = _Loop(program, sets, dict(zip(NUMBERS, numbers, strict=True)), training_key, kept)
    if weights is None:
        weights = initial_weights(weights_key, program.sizes, loop.numbers["initial_bias"])
    epochs = jnp.arange(1, program.epochs + 1, dtype=jnp.int32)
    state, (objective, losses, accuracies) = jax.lax.scan(loop.epoch, loop.start(weights), epochs)
    return Recorded(objective, losses.T, accuracies.T, state.logits, state.best)


@dataclass(frozen=True, eq=False)
class _Loop:
    """The loop over the epochs of one network."""

    program: Program  # what it is compiled for
    sets: tuple[PointsOnDevice, ...]  # points of every set, the training set first
    numbers: dict[str, Any]  # numeric hyperparameters by name
    key: PRNGKeyArray  # key of all that is random in training
    kept: Int[Array, " c"]  # epochs after which logits are recorded

    @property
    def batch(self) -> int:
        """Points per batch."""
        return self.program.structure.batch or len(self.sets[0].y)

    @property
    def batches(self) -> int:
        """Batches per epoch."""
        return -(-len(self.sets[0].y) // self.batch)

    @cached_property
    def transformation(self) -> optax.GradientTransformation:
        """The optimiser under its schedule, without the learning rate."""
        factor = schedule_function(
            self.program.structure.schedule, self.batches * self.program.epochs
        )

        def factor_in_dtype(step: Any) -> Any:
            # JAX turns an integer step into float32, whatever the precision of the weights.
            return factor(step.astype(self.program.dtype))

        optimizer = transformation(self.program.structure.optimizer)
        return optax.chain(optimizer, optax.scale_by_schedule(factor_in_dtype))

    def start(self, weights: Weights) -> _State:
        """The state before the first epoch."""
        untrained = self.logits(weights, self.sets[1].x)
        empty = jnp.full_like(untrained, jnp.nan)
        return _State(
            (weights, self.transformation.init(weights)),
            jnp.where((self.kept == 0)[:, None], untrained[None, :], empty[None, :]),
            empty,
            jnp.asarray(jnp.inf, untrained.dtype),
        )

    def epoch(self, state: _State, number: Int[Array, ""]) -> tuple[_State, Any]:
        """One epoch, and what is recorded after it."""
        trained = self.train_epoch(state.trained, jax.random.fold_in(self.key, number))
        set_logits = [self.logits(trained[0], points.x) for points in self.sets]
        pairs = [(z, points.y) for z, points in zip(set_logits, self.sets, strict=True)]
        losses = jnp.stack([cross_entropy(z, y) for z, y in pairs])
        accuracies = jnp.stack([accuracy(z, y) for z, y in pairs])
        z, better = set_logits[1], losses[1] < state.least_loss
        after = _State(
            trained,
            jnp.where((self.kept == number)[:, None], z[None, :], state.logits),
            jnp.where(better, z, state.best),
            jnp.where(better, losses[1], state.least_loss),
        )
        return after, (self.objective(trained[0], *pairs[0]), losses, accuracies)

    def train_epoch(self, trained: tuple[Any, Any], key: PRNGKeyArray) -> tuple[Any, Any]:
        """(weights, moments) after all batches of an epoch."""
        program, training = self.program, self.sets[0]
        if program.structure.batch is None and not program.structure.resample:
            return self.step(trained, key, training, None)
        order_key, steps_key = jax.random.split(key)
        rows, present = _rows(
            program.structure.resample, training.y, self.batches, self.batch, order_key
        )

        def step(k: Any, trained: tuple[Any, Any]) -> tuple[Any, Any]:
            points = PointsOnDevice(training.x[rows[k]], training.y[rows[k]])
            return self.step(trained, jax.random.fold_in(steps_key, k), points, present[k])

        return jax.lax.fori_loop(0, self.batches, step, trained)

    def step(
        self, trained: tuple[Any, Any], key: PRNGKeyArray, points: PointsOnDevice, present: Any
    ) -> tuple[Any, Any]:
        """(weights, moments) after one step of the optimiser on these points."""

        def objective(weights: Weights) -> Any:
            z = self.perturbed_logits(weights, key, points.x)
            return self.objective(weights, z, points.y, present)

        weights, moments = trained
        update, moments = self.transformation.update(jax.grad(objective)(weights), moments, weights)
        rate = self.numbers["learning_rate"]
        return jax.tree.map(lambda w, change: w - rate * change, weights, update), moments

    def perturbed_logits(
        self, weights: Weights, key: PRNGKeyArray, x: Float[Array, "n d"]
    ) -> Float[Array, " n"]:
        """Logits of inputs with noise, by a network under dropout."""
        noise_key, dropout_key = jax.random.split(key)
        masks = ()
        if "noise" in self.program.used:
            x = x + self.numbers["noise"] * jax.random.normal(noise_key, x.shape, x.dtype)
        if "dropout" in self.program.used:
            rate = self.numbers["dropout"]
            masks = dropout_masks(dropout_key, self.program.sizes[1:-1], len(x), rate)
        return self.logits(weights, x, masks)

    def logits(self, weights: Weights, x: Any, masks: Sequence[Any] = ()) -> Float[Array, " n"]:
        """Logits of class 1."""
        function = activation_function(self.program.structure.activation)
        return logits(weights, x, function, masks, self.program.deterministic)

    def objective(self, weights: Weights, z: Any, y: Any, present: Any = None) -> Any:
        """What training minimises, from the logits of training points."""
        loss = mean_loss(smooth_loss(self.program.structure.loss), z, y, present)
        return loss + penalty(self.program.used, weights, self.numbers)


def _rows(
    resample: bool, y: Float[Array, " n"], batches: int, batch: int, key: PRNGKeyArray
) -> tuple[Int[Array, "batches batch"], Bool[Array, "batches batch"]]:
    """The rows of each batch of an epoch, and which of them count: the last batch is padded."""
    n = len(y)
    if resample:
        share = jnp.where(y > 0, 0.5 / jnp.sum(y), 0.5 / jnp.sum(1 - y))
        order = jax.random.choice(key, n, (n,), p=share)
    else:
        order = jax.random.permutation(key, n)
    padded = jnp.zeros(batches * batch, order.dtype).at[:n].set(order)
    present = jnp.arange(batches * batch) < n
    return padded.reshape(batches, batch), present.reshape(batches, batch)
