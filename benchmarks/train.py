"""How long training takes: by Keras' `fit`, by Python loops over a jitted step, and by `sweep`.

All learn the published data with an outlier from the same initial weights, with the loss and
accuracy of both sets recorded after each epoch, and their curves are compared before a time counts.
What is compiled is timed apart. Keras fits a few of the networks, one after the other, in a process
of its own; one Python loop trains as many, another all of them by one vmapped step.

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

UNITS, RATE, EPSILON = 3, 0.05, 1e-7
"""Hidden units, learning rate, and Keras' epsilon of Adam."""

AGREES = 1e-3
"""Largest difference of validation losses, at any epoch, in nats."""

WANTED = {"keras_to_sweep": 200.0, "loop_to_sweep": 3.0}
"""Ratios of the seconds a network takes that are asked for."""

Weights = list[tuple[Any, Any]]


def glorot(networks: int) -> Weights:
    """Initial weights: Glorot-uniform, and biases of 0."""
    rng, made = np.random.default_rng(0), []
    for a, b in ((1, UNITS), (UNITS, 1)):
        most = (6 / (a + b)) ** 0.5
        w = rng.uniform(-most, most, (networks, a, b)).astype(np.float32)
        made.append((w, np.zeros((networks, b), np.float32)))
    return made


def arrays() -> dict[str, np.ndarray]:
    """The published data."""
    sets = PROBLEMS["outlier"].draw(0)
    named = {"": sets.training, "validation_": sets.validation}
    return {
        prefix + part: getattr(points, part).astype(np.float32)
        for prefix, points in named.items()
        for part in ("x", "y")
    }


def fitted_by_keras(data: dict[str, Any], networks: int, epochs: int) -> dict[str, np.ndarray]:
    """What `keras_fit.py` finds, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "data.npz"), Path(folder, "found.npz")
        np.savez(given, **data)
        script = Path(__file__).with_name("keras_fit.py")
        sizes = [f"--networks={networks}", f"--epochs={epochs}"]
        subprocess.run([sys.executable, script, given, found, *sizes], check=True)
        with np.load(found) as file:
            return dict(file)


# One network, as anybody would write it.

RULE = optax.adam(RATE, eps=EPSILON)


def logits(weights: Weights, x: Any) -> Any:
    """Of one network."""
    (into, bias), (out, last) = weights
    return (jax.nn.relu(x @ into + bias[None, :]) @ out + last[None, :])[:, 0]


def judged(weights: Weights, x: Any, y: Any) -> tuple[Any, Any]:
    """Cross-entropy and accuracy."""
    z = logits(weights, x)
    return jnp.mean(optax.sigmoid_binary_cross_entropy(z, y)), jnp.mean((z > 0) == (y > 0))


def step(weights: Weights, state: Any, data: dict[str, Any]) -> tuple[Weights, Any, Any]:
    """One epoch of a network, which has one batch, and what is recorded after it."""
    slope = jax.grad(lambda w: judged(w, data["x"], data["y"])[0])(weights)
    change, state = RULE.update(slope, state, weights)
    weights = optax.apply_updates(weights, change)  # pyright: ignore
    both = judged(weights, data["x"], data["y"])
    recorded = both, judged(weights, data["validation_x"], data["validation_y"])
    return weights, state, recorded


def looped(jitted: Callable[..., Any], weights: Any, state: Any, data: Any, epochs: int) -> Any:
    """A Python loop over a jitted step: validation losses by epoch, on the host."""
    every = []
    for _ in range(epochs):
        weights, state, recorded = jitted(weights, state, data)
        every.append(recorded)
    return np.array([recorded[1][0] for recorded in jax.device_get(every)])


def one_by_one(weights: Weights, data: Any, epochs: int, few: int) -> dict[str, Any]:
    """Networks one after the other."""
    jitted = jax.jit(step)
    single = [[(w[k], b[k]) for w, b in weights] for k in range(few)]
    started = time.perf_counter()
    looped(jitted, single[0], RULE.init(single[0]), data, 1)
    first = time.perf_counter() - started
    curves, times = [], []
    for own in single:
        started = time.perf_counter()
        curves.append(looped(jitted, own, RULE.init(own), data, epochs))
        times.append(time.perf_counter() - started)
    return {"curves": np.array(curves), "seconds": times, "networks": 1, "first_s": first}


def side_by_side(weights: Weights, data: Any, epochs: int, repeats: int) -> dict[str, Any]:
    """All networks by one vmapped step."""
    jitted = jax.jit(jax.vmap(step, in_axes=(0, 0, None)))
    state = jax.vmap(RULE.init)(weights)
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
    asked = {"seeds": networks, "epochs": epochs, "weights": weights, "progress": False}
    started = time.perf_counter()
    table = sweep.train("outlier", **asked, **PUBLISHED)
    first, times = time.perf_counter() - started, []
    for _ in range(repeats):
        started = time.perf_counter()
        table = sweep.train("outlier", **asked, **PUBLISHED)
        times.append(time.perf_counter() - started)
    curves = table.validation_loss.values
    return {"curves": curves, "seconds": times, "networks": networks, "first_s": first}


def row(found: dict[str, Any], curves: np.ndarray) -> dict[str, Any]:
    """Times of one way, a network, and how far its curves are from those of `sweep.train`."""
    away = np.abs(found["curves"] - curves[: len(found["curves"])]).max(axis=1)
    middle = float(np.median(found["seconds"]))
    return {
        "networks": len(found["curves"]),
        "runs": len(found["seconds"]),
        "seconds_per_network": middle / found["networks"],
        "first_s": found["first_s"],
        "largest_difference": float(away.max()),
        "agreeing": float(np.mean(away <= AGREES)),
    }


def measured(networks: int, epochs: int, few: int, repeats: int) -> dict[str, Any]:
    """All ways, in one run."""
    data, weights = arrays(), glorot(networks)
    found: dict[str, Any] = {}
    if importlib.util.find_spec("keras") is not None:
        by_keras = fitted_by_keras(data, few, epochs)
        names = (("weight0", "bias0"), ("weight1", "bias1"))
        for own, pair in zip(weights, names, strict=True):
            for array, name in zip(own, pair, strict=True):
                array[:few] = by_keras[name]
        found["keras"] = {
            "curves": by_keras["validation_loss"],
            "seconds": by_keras["seconds"],
            "networks": 1,
            "first_s": float(np.median(by_keras["first_seconds"])),
        }
    found["loop"] = one_by_one(weights, data, epochs, few)
    found["vmapped_loop"] = side_by_side(weights, data, epochs, repeats)
    found["sweep"] = ours(weights, epochs, repeats)
    return {name: row(one, found["sweep"]["curves"]) for name, one in found.items()}


def require_agreement(rows: dict[str, Any]) -> None:
    """Refuses times of what does not find the same.

    A network with an input exactly at the kink of a unit may go either way by rounding, and among
    a thousand one may.
    """
    for name, one in rows.items():
        if one["agreeing"] < (1.0 if name == "keras" else 0.99):
            raise SystemExit(
                f"{name}: validation losses differ by up to {one['largest_difference']:.2g} nats, "
                f"and agree in {one['agreeing']:.1%} of the networks; no time counts"
            )


def print_report(document: dict[str, Any]) -> None:
    """Times and ratios, in lines of 80 columns."""
    heads = f"{'a network':>12}{'ratio':>9}{'first':>9}{'networks':>10}"
    print(f"{'':14}{heads}{'largest difference':>22}")
    for name, one in document["rows"].items():
        ratio = document["ratios"].get(f"{name}_to_sweep", 1.0)
        print(
            f"{name:14}{1e3 * one['seconds_per_network']:>9.3g} ms{ratio:>9.3g}"
            f"{one['first_s']:>7.1f} s{one['networks']:>10}{one['largest_difference']:>17.1e} nats"
        )
    for name, least in WANTED.items():
        if name in document["ratios"]:
            found = document["ratios"][name]
            print(f"{name}: {found:.3g}, at least {least:g} wanted{'' if found >= least else '!'}")
        else:
            print(f"{name}: not measured, for keras is not installed")


def main() -> None:
    """Trains, compares, prints, and writes the document if asked to."""
    parser = argparse.ArgumentParser(description="Training by Keras, by loops and by sweep.")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--few", type=int, default=6, help="networks that take turns")
    parser.add_argument("--repeats", type=int, default=5, help="runs of all networks at once")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    asked = parser.parse_args()
    if asked.out is not None and asked.out.exists() and not asked.force:
        raise SystemExit(f"{asked.out} exists; give --force to overwrite it")
    rows = measured(asked.networks, asked.epochs, asked.few, asked.repeats)
    require_agreement(rows)
    least = rows["sweep"]["seconds_per_network"]
    ratios = {
        f"{name}_to_sweep": one["seconds_per_network"] / least
        for name, one in rows.items()
        if name != "sweep"
    }
    document = machine() | {"epochs": asked.epochs, "wanted": WANTED}
    document |= {"ratios": ratios, "rows": rows}
    print_report(document)
    if asked.out is not None:
        with staged(asked.out, force=asked.force) as partial:
            partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
