"""Networks trained side by side, by a program that is compiled once for all of them.

All networks of a block of seeds and of every combination of numbers are trained by one `lax.scan`
over the epochs under two `vmap`, over the combinations inside and the seeds outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, Shaped

from sweep.base.devices import on_host
from sweep.training.loop import PointsOnDevice, Program, Recorded, train_one

QUICKLY = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""How XLA compiles for a processor: in a third of the time, to code that is as fast here."""

MOST = 256
"""Programs that are kept, the latest ones."""


def train(
    program: Program,
    sets: Sequence[tuple[Shaped[np.ndarray, "*seeds _ d"], Shaped[np.ndarray, "*seeds _"]]],
    numbers: Shaped[np.ndarray, "k numbers"],
    seeds: Int[np.ndarray, " s"],
    chosen: Int[np.ndarray, " c"],
    weights: Any = None,
) -> Recorded:
    """Trains networks side by side.

    Args:
        program: what they have in common.
        sets: training, validation and perhaps test (x, y), of every seed or for all of them.
        numbers: of every combination, columns as `NUMBERS`.
        seeds: of the initial weights and of all that is random in training, below 2^32.
        chosen: epochs after which the logits of the validation set are recorded, from 1; 0 is
            before training.
        weights: initial weights, each with a first axis of seeds, or None to draw them.

    Returns:
        Arrays of NumPy with the axes (seeds, combinations) in front.
    """
    # Optax raises decay rates to the power of a whole number of steps.
    promoting = jax.numpy_dtype_promotion("standard")
    with jax.enable_x64(program.dtype == "float64"), promoting:
        kind = np.dtype(program.dtype)
        made = tuple(PointsOnDevice(x.astype(kind), y.astype(kind)) for x, y in sets)
        given = None if weights is None else jax.tree.map(lambda w: np.asarray(w, kind), weights)
        keys, epochs = seeds.astype(np.uint32), chosen.astype(np.int32)
        arguments = made, numbers.astype(kind), keys, epochs, given
        return jax.tree.map(np.asarray, _compiled(program, arguments)(*arguments))


def _compiled(program: Program, arguments: tuple[Any, ...]) -> Callable[..., Recorded]:
    """What is compiled for arguments of these shapes, once for all threads."""
    sets, *_, weights = arguments
    key = program, *(one.shape for one in jax.tree.leaves(arguments)), weights is None
    with _compiling:
        if key not in _programs:
            function = _side_by_side(program, sets[0].x.ndim == 2, weights is None)
            if len(_programs) == MOST:
                del _programs[next(iter(_programs))]
            _programs[key] = _quickly(function.lower(*arguments))
        return _programs[key]


def _quickly(lowered: Any) -> Callable[..., Recorded]:
    """What is compiled of the function."""
    if not on_host():
        return lowered.compile()
    try:
        return lowered.compile(QUICKLY)
    except jax.errors.JaxRuntimeError:  # another version of XLA may lack one of the options
        return lowered.compile()


_compiling = threading.Lock()
_programs: dict[Any, Callable[..., Recorded]] = {}


def _side_by_side(program: Program, shared: bool, drawn: bool) -> Any:
    """The function of (sets, numbers, seeds, chosen, weights), to be compiled."""
    one = partial(train_one, program)
    over_numbers = jax.vmap(one, in_axes=(None, 0, None, None, None))
    of_sets, of_weights = (None if shared else 0), (None if drawn else 0)
    return jax.jit(jax.vmap(over_numbers, in_axes=(of_sets, None, 0, None, of_weights)))
