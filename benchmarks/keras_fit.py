"""Keras' `fit`, network by network: initial weights, curves and seconds. `train.py` runs it.

Keras holds its backend in a global and reads JAX's configuration, so it runs in its own process.

    python benchmarks/keras_fit.py DATA.npz OUT.npz [--networks 6] [--epochs 300]

DATA.npz holds x, y, validation_x, validation_y. OUT.npz holds for every network the weights before
training (weight0, bias0, weight1, bias1), loss, accuracy, validation_loss and validation_accuracy
after each epoch, the validation probabilities at the end, the seconds of `fit`, and the seconds of
a first `fit` of one epoch, which compiles; weights and optimizer are restored after it.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras  # pyright: ignore[reportMissingImports]  # in an extra; it reads the variable
import numpy as np

UNITS, RATE = 3, 0.05  # hidden units and learning rate, as published; the rest is Keras' default

WEIGHTS = ("weight0", "bias0", "weight1", "bias1")


def network(inputs: int) -> Any:
    """One hidden layer of relu units and a sigmoid unit, compiled, as published."""
    layers = keras.layers
    hidden = layers.Dense(UNITS, activation="relu")
    model = keras.Sequential([layers.Input((inputs,)), hidden, layers.Dense(1, "sigmoid")])
    adam = keras.optimizers.Adam(learning_rate=RATE)
    model.compile(optimizer=adam, loss="binary_crossentropy", metrics=["accuracy"])
    adam.build(model.trainable_variables)
    return model


def seconds(model: Any, data: dict[str, np.ndarray], epochs: int) -> tuple[float, dict[str, Any]]:
    """Seconds of `fit`, and its history."""
    start = time.perf_counter()
    fitted = model.fit(
        data["x"],
        data["y"],
        validation_data=(data["validation_x"], data["validation_y"]),
        batch_size=len(data["y"]),
        epochs=epochs,
        verbose=0,
    )
    return time.perf_counter() - start, fitted.history


def fit(seed: int, data: dict[str, np.ndarray], epochs: int) -> dict[str, Any]:
    """Trains one network."""
    keras.utils.set_random_seed(seed)
    model = network(data["x"].shape[1])
    weights = model.get_weights()
    state = [variable.numpy() for variable in model.optimizer.variables]
    first, _ = seconds(model, data, 1)
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, state, strict=True):
        variable.assign(value)
    fit_seconds, history = seconds(model, data, epochs)
    curves = {name.replace("val_", "validation_"): values for name, values in history.items()}
    return {
        **dict(zip(WEIGHTS, weights, strict=True)),
        **curves,
        "validation_probabilities": np.asarray(model(data["validation_x"]))[:, 0],
        "seconds": fit_seconds,
        "first_seconds": first,
    }


def main() -> None:
    """Trains the networks and writes their curves and seconds."""
    parser = argparse.ArgumentParser(description="Keras' fit, network by network.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", type=int, default=6, help="with the seeds 0, 1, ...")
    parser.add_argument("--epochs", type=int, default=300)
    args = parser.parse_args()
    with np.load(args.data) as file:
        data = {name: file[name].astype(np.float32) for name in file}
    fits = [fit(seed, data, args.epochs) for seed in range(args.networks)]
    stacked: dict[str, Any] = {name: np.stack([f[name] for f in fits]) for name in fits[0]}
    np.savez(args.out, **stacked)


if __name__ == "__main__":
    main()
