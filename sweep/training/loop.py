"""The loop over the epochs of one network, as a function that JAX transforms.

What it is compiled for is a `Program`: everything but the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from sweep.training.activations import activation
from sweep.training.hyperparameters import NUMBERS, Hyperparameters, smooth
from sweep.training.networks import Weights, dropped, initial, logits
from sweep.training.objective import accuracy, cross_entropy, mean, penalty
from sweep.training.optimizers import optimizer, schedule


@dataclass(frozen=True)
class Program:
    """What the loop is compiled for, besides shapes.

    Attributes:
        sizes: units of every layer, the inputs and the one output included.
        activation: its name.
        loss: name of what is minimised.
        optimizer: its name.
        schedule: its name.
        batch: points of a batch; None is the full set.
        resample: whether batches are drawn, both classes alike often.
        used: numbers that are not 0 in every network, the learning rate apart.
        epochs: how many.
        dtype: of all numbers, "float32" or "float64".
        deterministic: whether bits must not depend on threads, see `sweep.training.deterministic`.
    """

    sizes: tuple[int, ...]
    activation: str
    loss: str
    optimizer: str
    schedule: str
    batch: int | None
    resample: bool
    used: frozenset[str]
    epochs: int
    dtype: str
    deterministic: bool = False

    @classmethod
    def of(
        cls,
        every: Sequence[Hyperparameters],
        inputs: int,
        epochs: int,
        dtype: str,
        deterministic: bool = False,
    ) -> Program:
        """The program of combinations that differ by numbers only."""
        first = every[0]
        return cls(
            (inputs, *first.widths, 1),
            first.activation,
            first.loss,
            first.optimizer,
            first.schedule,
            first.batch,
            first.resample,
            frozenset(n for n in NUMBERS[1:] if any(getattr(one, n) for one in every)),
            epochs,
            dtype,
            deterministic,
        )


class PointsOnDevice(NamedTuple):
    """Points on the device: x of shape (n, d), y of 0 and 1 of shape (n,)."""

    x: Any
    y: Any


class Recorded(NamedTuple):
    """What was recorded of one network, or with more dimensions in front of several.

    Attributes:
        objective: what is minimised, on the training set, penalties included, after each epoch.
        losses: cross-entropy of each set in nats, after each epoch, shape (sets, epochs).
        accuracies: of each set, likewise.
        logits: of the validation set after the chosen epochs, shape (chosen, m).
        best: of the validation set after the epoch of its least cross-entropy, shape (m,).
    """

    objective: Any
    losses: Any
    accuracies: Any
    logits: Any
    best: Any


class _State(NamedTuple):
    """What goes from epoch to epoch."""

    inside: tuple[Any, Any]  # weights, and the optimiser's moments
    logits: Any
    best: Any
    least: Any


def train_one(
    program: Program,
    sets: tuple[PointsOnDevice, ...],
    numbers: Float[Array, " numbers"],
    seed: Shaped[Array, ""],
    chosen: Int[Array, " c"],
    weights: Weights | None,
) -> Recorded:
    """Trains one network."""
    start, course = jax.random.split(jax.random.key(seed))
    loop = _Loop(program, sets, dict(zip(NUMBERS, numbers, strict=True)), course, chosen)
    if weights is None:
        weights = initial(start, program.sizes, loop.numbers["initial_bias"])
    epochs = jnp.arange(1, program.epochs + 1, dtype=jnp.int32)
    state, (objective, losses, right) = jax.lax.scan(loop.epoch, loop.begun(weights), epochs)
    return Recorded(objective, losses.T, right.T, state.logits, state.best)


@dataclass(frozen=True, eq=False)
class _Loop:
    """The loop over the epochs of one network.

    Attributes:
        program: what it is compiled for.
        sets: the points of every set, the training set first.
        numbers: the hyperparameters that are numbers, by name.
        course: key of all that is random in training.
        chosen: epochs after which logits are recorded.
    """

    program: Program
    sets: tuple[PointsOnDevice, ...]
    numbers: dict[str, Any]
    course: PRNGKeyArray
    chosen: Int[Array, " c"]

    @property
    def batch(self) -> int:
        """Points of a batch."""
        return self.program.batch or len(self.sets[0].y)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.sets[0].y) // self.batch)

    @cached_property
    def transformation(self) -> optax.GradientTransformation:
        """The optimiser under its schedule, without the learning rate."""
        made = schedule(self.program.schedule).make(self.batches * self.program.epochs)

        def share(step: Any) -> Any:
            # Of a whole number JAX makes float32, whatever the precision of the weights.
            return made(step.astype(self.program.dtype))

        return optax.chain(optimizer(self.program.optimizer).make(), optax.scale_by_schedule(share))

    def begun(self, weights: Weights) -> _State:
        """Before the first epoch."""
        untrained = self.logits(weights, self.sets[1].x)
        nothing = jnp.full_like(untrained, jnp.nan)
        return _State(
            (weights, self.transformation.init(weights)),
            jnp.where((self.chosen == 0)[:, None], untrained[None, :], nothing[None, :]),
            nothing,
            jnp.asarray(jnp.inf, untrained.dtype),
        )

    def epoch(self, state: _State, number: Int[Array, ""]) -> tuple[_State, Any]:
        """One epoch, and what is recorded after it."""
        inside = self.passed(state.inside, jax.random.fold_in(self.course, number))
        every = [self.logits(inside[0], one.x) for one in self.sets]
        pairs = [(z, one.y) for z, one in zip(every, self.sets, strict=True)]
        losses = jnp.stack([cross_entropy(z, y) for z, y in pairs])
        right = jnp.stack([accuracy(z, y) for z, y in pairs])
        z, better = every[1], losses[1] < state.least
        after = _State(
            inside,
            jnp.where((self.chosen == number)[:, None], z[None, :], state.logits),
            jnp.where(better, z, state.best),
            jnp.where(better, losses[1], state.least),
        )
        return after, (self.objective(inside[0], *pairs[0]), losses, right)

    def passed(self, inside: tuple[Any, Any], key: PRNGKeyArray) -> tuple[Any, Any]:
        """(weights, moments) after every batch of an epoch."""
        program, training = self.program, self.sets[0]
        if program.batch is None and not program.resample:
            return self.step(inside, key, training, None)
        first, rest = jax.random.split(key)
        order, present = _rows(program.resample, training.y, self.batches, self.batch, first)

        def step(k: Any, inside: tuple[Any, Any]) -> tuple[Any, Any]:
            points = PointsOnDevice(training.x[order[k]], training.y[order[k]])
            return self.step(inside, jax.random.fold_in(rest, k), points, present[k])

        return jax.lax.fori_loop(0, self.batches, step, inside)

    def step(
        self, inside: tuple[Any, Any], key: PRNGKeyArray, points: PointsOnDevice, present: Any
    ) -> tuple[Any, Any]:
        """(weights, moments) after one step of the optimiser on these points."""

        def objective(weights: Weights) -> Any:
            return self.objective(weights, self.shaken(weights, key, points.x), points.y, present)

        weights, moments = inside
        change, moments = self.transformation.update(jax.grad(objective)(weights), moments, weights)
        rate = self.numbers["learning_rate"]
        return jax.tree.map(lambda w, by: w - rate * by, weights, change), moments

    def shaken(
        self, weights: Weights, key: PRNGKeyArray, x: Float[Array, "n d"]
    ) -> Float[Array, " n"]:
        """Logits of inputs with noise, of a network of which some units are dropped."""
        noise, units = jax.random.split(key)
        kept = ()
        if "noise" in self.program.used:
            x = x + self.numbers["noise"] * jax.random.normal(noise, x.shape, x.dtype)
        if "dropout" in self.program.used:
            kept = dropped(units, self.program.sizes[1:-1], len(x), self.numbers["dropout"])
        return self.logits(weights, x, kept)

    def logits(self, weights: Weights, x: Any, kept: Sequence[Any] = ()) -> Float[Array, " n"]:
        """Logits of class 1."""
        made = activation(self.program.activation).make()
        return logits(weights, x, made, kept, self.program.deterministic)

    def objective(self, weights: Weights, z: Any, y: Any, present: Any = None) -> Any:
        """What is minimised, by the logits of the training set."""
        found = mean(smooth(self.program.loss), z, y, present)
        return found + penalty(self.program.used, weights, self.numbers)


def _rows(
    resample: bool, y: Float[Array, " n"], batches: int, batch: int, key: PRNGKeyArray
) -> tuple[Int[Array, "batches batch"], Bool[Array, "batches batch"]]:
    """The rows of each batch of an epoch, and which of them count: the last may have fewer."""
    n = len(y)
    if resample:
        share = jnp.where(y > 0, 0.5 / jnp.sum(y), 0.5 / jnp.sum(1 - y))
        order = jax.random.choice(key, n, (n,), p=share)
    else:
        order = jax.random.permutation(key, n)
    full = jnp.zeros(batches * batch, order.dtype).at[:n].set(order)
    return full.reshape(batches, batch), (jnp.arange(batches * batch) < n).reshape(batches, batch)
