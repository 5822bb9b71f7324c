"""The devices that JAX computes on, and how data are distributed over them.

Only this module asks what kind of device there is. Deposits and the evaluation of nodes run on all
devices of the process; sums over every point run on the first device.
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

AXIS = "shards"  # name of the mesh axis along which arrays are distributed, one shard per device


def available() -> list[Any]:
    """The devices of this process, if JAX has one of the configured platform."""
    try:
        return jax.local_devices()
    except (AssertionError, RuntimeError) as error:  # JAX raises either, depending on the platform
        configured = getattr(jax.config, "jax_platforms", None)
        raise InputError(
            f"JAX has no device of the platform {configured!r}; choose another by JAX_PLATFORMS"
        ) from error


def on_host() -> bool:
    """Whether the devices are the host's processor, which shares its memory with NumPy."""
    return available()[0].platform == "cpu"


def describe() -> str:
    """The devices in words, such as "cpu: cpu, x86_64" or "2 x gpu: NVIDIA H100, x86_64"."""
    devices = available()
    times = "" if len(devices) == 1 else f"{len(devices)} x "
    return f"{times}{devices[0].platform}: {devices[0].device_kind}, {platform.machine()}"


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sharding() -> NamedSharding:
    """Distributes the first axis of an array over all devices."""
    return NamedSharding(Mesh(np.array(available()), (AXIS,)), PartitionSpec(AXIS))


def to_shards(values: Float[np.ndarray, " n"], length: int) -> Float[Array, "d length"]:
    """Distributes n <= d * length values over the d devices, `length` on each, padded with 0."""
    shape = (len(available()), length)
    if values.size < shape[0] * length:
        padded = np.zeros(shape[0] * length)
        padded[: values.size] = values
        values = padded
    return jax.device_put(values.reshape(shape), sharding())


def on_each(function: Callable[..., Array], mapped: int) -> Callable[..., Array]:
    """Makes a function of one shard into a function of arrays from `to_shards`.

    Its first `mapped` arguments differ between devices, the others are common.
    """
    sharded, common = PartitionSpec(AXIS), PartitionSpec()

    def on_shard(*arguments: Array) -> Array:
        rows = (argument[0] for argument in arguments[:mapped])
        return function(*rows, *arguments[mapped:])[None]

    def on_devices(*arguments: Array) -> Array:
        specs = (*[sharded] * mapped, *[common] * (len(arguments) - mapped))
        mesh = sharding().mesh
        return jax.shard_map(on_shard, mesh=mesh, in_specs=specs, out_specs=sharded)(*arguments)

    return on_devices
