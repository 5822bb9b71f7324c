"""The devices JAX computes on: which they are, and how data are spread over them.

This is the only place that asks what kind of device there is. Deposits and the evaluation of
nodes are spread over all devices of the process; sums over every point run on the first.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from sweep.base.errors import InputError

AXIS = "shards"
"""Name of the one axis along which arrays are spread: one shard a device."""


def available() -> list[Any]:
    """The devices of this process.

    Raises:
        InputError: there is none of the platform that JAX was asked for.
    """
    try:
        return jax.local_devices()
    except (AssertionError, RuntimeError) as error:  # JAX raises either, by what it was asked for
        asked = getattr(jax.config, "jax_platforms", None)
        raise InputError(
            f"JAX has no device of the platform {asked!r} that it was asked for (JAX_PLATFORMS)"
        ) from error


def on_host() -> bool:
    """Whether the devices are the host's processor, whose memory NumPy shares."""
    return available()[0].platform == "cpu"


def describe() -> str:
    """What computes, such as "cpu: cpu, x86_64" or "2 x gpu: NVIDIA H100, x86_64"."""
    found = available()
    times = "" if len(found) == 1 else f"{len(found)} x "
    return f"{times}{found[0].platform}: {found[0].device_kind}, {platform.machine()}"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sharding() -> NamedSharding:
    """Spreads the first axis of an array over all devices."""
    return NamedSharding(Mesh(np.array(available()), (AXIS,)), PartitionSpec(AXIS))


def to_shards(values: Float[np.ndarray, " n"], length: int) -> Float[Array, "d length"]:
    """Values in rows of `length`, one row a device, padded with 0; n <= devices x length."""
    shape = (len(available()), length)
    if values.size < shape[0] * length:
        padded = np.zeros(shape[0] * length)
        padded[: values.size] = values
        values = padded
    return jax.device_put(values.reshape(shape), sharding())


def on_each(function: Callable[..., Array], mapped: int) -> Callable[..., Array]:
    """A function of rows of shards, made of the function of one row.

    Args:
        function: takes `mapped` arguments that differ from device to device, then common ones.
        mapped: how many.
    """
    spec, common = PartitionSpec(AXIS), PartitionSpec()

    def of_shards(*arguments: Array) -> Array:
        rows = (argument[0] for argument in arguments[:mapped])
        return function(*rows, *arguments[mapped:])[None]

    def call(*arguments: Array) -> Array:
        specs = (*[spec] * mapped, *[common] * (len(arguments) - mapped))
        mesh = sharding().mesh
        return jax.shard_map(of_shards, mesh=mesh, in_specs=specs, out_specs=spec)(*arguments)

    return call
