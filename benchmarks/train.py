"""Times of training: by Keras' `fit`, by Python loops over a jitted step, and by `sweep`.

All learn the published data with an outlier from the same initial weights and record the loss and
accuracy of both sets after each epoch. Their curves are compared before a time counts. Compilation
is timed apart. Keras fits a few of the networks, one after another, in its own process; one Python
loop trains as many, another trains all of them by one vmapped step.

    python benchmarks/train.py [--out FILE.json] [--force] [--networks 1000] [--epochs 300]
                               [--few 6] [--repeats 5]
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import sweep
from sweep.base.files import staged
from sweep.benchmark.measurement import machine
from sweep.training.experiments.outlier import PUBLISHED
from sweep.training.problems import PROBLEMS

UNITS, RATE, EPSILON = 3, 0.05, 1e-7  # hidden units, learning rate, and Keras' epsilon of Adam
AGREES = 1e-3  # nats: largest difference of validation losses at any epoch of curves that agree
TARGETS = {"keras_to_sweep": 200.0, "loop_to_sweep": 3.0}  # least ratios of seconds for a network

Weights = list[tuple[Any, Any]]


def glorot(networks: int) -> Weights:
    """Initial weights: Glorot-uniform, and biases of 0."""
    rng, layers = np.random.default_rng(0), []
    for a, b in ((1, UNITS), (UNITS, 1)):
        largest = (6 / (a + b)) ** 0.5
        w = rng.uniform(-largest, largest, (networks, a, b)).astype(np.float32)
        layers.append((w, np.zeros((networks, b), np.float32)))
    return layers


def arrays() -> dict[str, np.ndarray]:
    """The published data."""
    sets = PROBLEMS["outlier"].draw(0)
    named = {"": sets.training, "validation_": sets.validation}
    return {
        prefix + column: getattr(points, column).astype(np.float32)
        for prefix, points in named.items()
        for column in ("x", "y")
    }


def fitted_by_keras(data: dict[str, Any], networks: int, epochs: int) -> dict[str, np.ndarray]:
    """The results of `keras_fit.py`, which runs in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, results = Path(folder, "data.npz"), Path(folder, "results.npz")
        np.savez(inputs, **data)
        script = Path(__file__).with_name("keras_fit.py")
        sizes = [f"--networks={networks}", f"--epochs={epochs}"]
        subprocess.run([sys.executable, script, inputs, results, *sizes], check=True)
        with np.load(results) as file:
            return dict(file)


# One network, in plain JAX.

ADAM = optax.adam(RATE, eps=EPSILON)


def logits(weights: Weights, x: Any) -> Any:
    """Logits of one network."""
    (into, bias), (out, last) = weights
    return (jax.nn.relu(x @ into + bias[None, :]) @ out + last[None, :])[:, 0]


def metrics(weights: Weights, x: Any, y: Any) -> tuple[Any, Any]:
    """Cross-entropy and accuracy."""
    z = logits(weights, x)
    return jnp.mean(optax.sigmoid_binary_cross_entropy(z, y)), jnp.mean((z > 0) == (y > 0))


def step(weights: Weights, state: Any, data: dict[str, Any]) -> tuple[Weights, Any, Any]:
    """One epoch of one batch, and both metrics of both sets after it."""
    gradient = jax.grad(lambda w: metrics(w, data["x"], data["y"])[0])(weights)
    change, state = ADAM.update(gradient, state, weights)
    weights = optax.apply_updates(weights, change)  # pyright: ignore
    training = metrics(weights, data["x"], data["y"])
    validation = metrics(weights, data["validation_x"], data["validation_y"])
    return weights, state, (training, validation)


def looped(jitted: Callable[..., Any], weights: Any, state: Any, data: Any, epochs: int) -> Any:
    """A Python loop over a jitted step: validation losses by epoch, on the host."""
    history = []
    for _ in range(epochs):
        weights, state, recorded = jitted(weights, state, data)
        history.append(recorded)
    return np.array([validation[0] for _, validation in jax.device_get(history)])


def one_by_one(weights: Weights, data: Any, epochs: int, few: int) -> dict[str, Any]:
    """Networks one after another."""
    jitted = jax.jit(step)
    single = [[(w[k], b[k]) for w, b in weights] for k in range(few)]
    started = time.perf_counter()
    looped(jitted, single[0], ADAM.init(single[0]), data, 1)
    first = time.perf_counter() - started
    curves, times = [], []
    for network in single:
        started = time.perf_counter()
        curves.append(looped(jitted, network, ADAM.init(network), data, epochs))
        times.append(time.perf_counter() - started)
    return {"curves": np.array(curves), "seconds": times, "networks": 1, "first_s": first}


def side_by_side(weights: Weights, data: Any, epochs: int, repeats: int) -> dict[str, Any]:
    """All networks by one vmapped step."""
    jitted = jax.jit(jax.vmap(step, in_axes=(0, 0, None)))
    state = jax.vmap(ADAM.init)(weights)
    started = time.perf_counter()
    looped(jitted, weights, state, data, 1)
    first = time.perf_counter() - started
    curves, times = np.empty(0), []
    for _ in range(repeats):
        started = time.perf_counter()
        curves = looped(jitted, weights, state, data, epochs).T
        times.append(time.perf_counter() - started)
    return {"curves": curves, "seconds": times, "networks": len(curves), "first_s": first}


def ours(weights: Weights, epochs: int, repeats: int) -> dict[str, Any]:
    """All networks by `sweep.train`, dataset included."""
    networks = len(weights[0][0])
    options = {"seeds": networks, "epochs": epochs, "weights": weights, "progress": False}
    started = time.perf_counter()
    table = sweep.train("outlier", **options, **PUBLISHED)
    first, times = time.perf_counter() - started, []
    for _ in range(repeats):
        started = time.perf_counter()
        table = sweep.train("outlier", **options, **PUBLISHED)
        times.append(time.perf_counter() - started)
    curves = table.validation_loss.values
    return {"curves": curves, "seconds": times, "networks": networks, "first_s": first}


def row(trained: dict[str, Any], curves: np.ndarray) -> dict[str, Any]:
    """Seconds of one method for a network, and its difference from the curves of `sweep.train`."""
    difference = np.abs(trained["curves"] - curves[: len(trained["curves"])]).max(axis=1)
    return {
        "networks": len(trained["curves"]),
        "runs": len(trained["seconds"]),
        "seconds_per_network": float(np.median(trained["seconds"])) / trained["networks"],
        "first_s": trained["first_s"],
        "largest_difference": float(difference.max()),
        "agreeing": float(np.mean(difference <= AGREES)),
    }


def measured(networks: int, epochs: int, few: int, repeats: int) -> dict[str, Any]:
    """All methods, in one run."""
    data, weights = arrays(), glorot(networks)
    trained: dict[str, Any] = {}
    if importlib.util.find_spec("keras") is not None:
        by_keras = fitted_by_keras(data, few, epochs)
        names = (("weight0", "bias0"), ("weight1", "bias1"))
        for layer, pair in zip(weights, names, strict=True):
            for array, name in zip(layer, pair, strict=True):
                array[:few] = by_keras[name]
        trained["keras"] = {
            "curves": by_keras["validation_loss"],
            "seconds": by_keras["seconds"],
            "networks": 1,
            "first_s": float(np.median(by_keras["first_seconds"])),
        }
    trained["loop"] = one_by_one(weights, data, epochs, few)
    trained["vmapped_loop"] = side_by_side(weights, data, epochs, repeats)
    trained["sweep"] = ours(weights, epochs, repeats)
    return {name: row(method, trained["sweep"]["curves"]) for name, method in trained.items()}


def require_agreement(rows: dict[str, Any]) -> None:
    """Refuses times of methods whose curves differ.

    Where an input lies exactly at the kink of a unit, rounding decides which way a network goes, so
    one in a hundred may differ.
    """
    for name, method in rows.items():
        if method["agreeing"] < (1.0 if name == "keras" else 0.99):
            raise SystemExit(
                f"{name}: validation losses differ by up to {method['largest_difference']:.2g} "
                f"nats and agree in {method['agreeing']:.1%} of the networks, so no time counts"
            )


def print_report(document: dict[str, Any]) -> None:
    """Times and ratios, in lines of 80 columns."""
    heads = f"{'a network':>12}{'ratio':>9}{'first':>9}{'networks':>10}"
    print(f"{'':14}{heads}{'largest difference':>22}")
    for name, method in document["rows"].items():
        ratio = document["ratios"].get(f"{name}_to_sweep", 1.0)
        print(
            f"{name:14}{1e3 * method['seconds_per_network']:>9.3g} ms{ratio:>9.3g}"
            f"{method['first_s']:>7.1f} s{method['networks']:>10}"
            f"{method['largest_difference']:>17.1e} nats"
        )
    for name, target in TARGETS.items():
        if name in document["ratios"]:
            ratio = document["ratios"][name]
            missed = "" if ratio >= target else ": missed"
            print(f"{name}: {ratio:.3g}, target {target:g}{missed}")
        else:
            print(f"{name}: not measured, because keras is not installed")


def main() -> None:
    """Trains, compares, prints the report, and writes the document for --out."""
    parser = argparse.ArgumentParser(description="Training by Keras, by loops and by sweep.")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--few", type=int, default=6, help="networks trained one by one")
    parser.add_argument("--repeats", type=int, default=5, help="runs of all networks at once")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    args = parser.parse_args()
    if args.out is not None and args.out.exists() and not args.force:
        raise SystemExit(f"{args.out} exists; give --force to overwrite it")
    rows = measured(args.networks, args.epochs, args.few, args.repeats)
    require_agreement(rows)
    least = rows["sweep"]["seconds_per_network"]
    ratios = {
        f"{name}_to_sweep": method["seconds_per_network"] / least
        for name, method in rows.items()
        if name != "sweep"
    }
    document = machine() | {"epochs": args.epochs, "wanted": TARGETS}
    document |= {"ratios": ratios, "rows": rows}
    print_report(document)
    if args.out is not None:
        with staged(args.out, force=args.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
