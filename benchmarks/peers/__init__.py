"""The same landscape by other libraries, each written as its users would write it well.

A peer is a function from a `LandscapeProblem` to its `Values`, which are NumPy arrays, so that a
device has finished when the function returns. All peers sum over every point in every cell. Each
imports its library itself, and `Peer.installed` tells whether the library is there. From a checkout
`sweep bench` races them against this library.
"""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numpy as np

from sweep.base import devices
from sweep.benchmark.problem import LandscapeProblem, Peer, Values

BLOCK = 2**17  # elements of a PyTorch temporary: a cell or more, within the cache if they fit
BATCH = 64  # cells that jax-grid-search evaluates together: its own default on a CPU
R_REPEATS = 3  # runs of one R process; the first of them compiles to byte code


def numpy_loop(problem: LandscapeProblem) -> Values:
    """A loop over cells, vectorised over points, in buffers that are allocated once.

    The loss is written out because `numpy.logaddexp` takes twice as long.
    """
    ce, accuracy = np.empty(problem.cells), np.empty(problem.cells)
    sign, positive = 1 - 2 * problem.y, problem.y > 0
    n = len(problem.x)
    z, u, hinge = (np.empty_like(problem.x) for _ in range(3))
    for i, a in enumerate(problem.a):
        product = a * problem.x
        for j, b in enumerate(problem.b):
            np.add(product, b, out=z)
            accuracy[i, j] = np.count_nonzero((z > 0) == positive) / n
            np.multiply(sign, z, out=u)
            np.maximum(u, 0, out=hinge)
            np.negative(np.abs(u, out=u), out=u)
            np.log1p(np.exp(u, out=u), out=u)
            ce[i, j] = np.add(hinge, u, out=u).mean()
    return Values(ce, accuracy)


def sklearn_loop(problem: LandscapeProblem) -> Values:
    """A loop over cells that calls scikit-learn for each metric."""
    from scipy.special import expit  # slow to import, and only this peer needs it
    from sklearn.metrics import accuracy_score, log_loss  # optional

    ce, accuracy = np.empty(problem.cells), np.empty(problem.cells)
    for i, a in enumerate(problem.a):
        for j, b in enumerate(problem.b):
            p = expit(a * problem.x + b)
            ce[i, j] = log_loss(problem.y, p, labels=[0, 1])
            accuracy[i, j] = accuracy_score(problem.y, p > 0.5)
    return Values(ce, accuracy)


def numba_parallel(problem: LandscapeProblem) -> Values:
    """Cells in parallel, both metrics in one pass over the points."""
    return Values(*_numba_kernel()(problem.x, problem.y, problem.a, problem.b))


@cache
def _numba_kernel() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    import numba  # pyright: ignore[reportMissingImports]  # optional

    # Without fastmath, which gains nothing here: exp and log1p are calls.
    @numba.njit(parallel=True)
    @no_type_check  # where types are checked at run time, Numba must see the bare function
    def kernel(x, y, a, b):
        n, columns = len(x), len(b)
        ce, accuracy = np.empty((len(a), columns)), np.empty((len(a), columns))
        for cell in numba.prange(len(a) * columns):
            i, j = cell // columns, cell % columns
            loss, correct = 0.0, 0
            for k in range(n):
                z = a[i] * x[k] + b[j]
                u = z if y[k] == 0 else -z
                loss += max(u, 0) + math.log1p(math.exp(-abs(u)))
                correct += (z > 0) == (y[k] > 0)
            ce[i, j], accuracy[i, j] = loss / n, correct / n
        return ce, accuracy

    return kernel


def torch_blocks(problem: LandscapeProblem) -> Values:
    """Blocks of cells times all points, on the same kind of device as JAX.

    It uses `softplus` because `binary_cross_entropy_with_logits` takes longer.
    """
    import torch  # pyright: ignore[reportMissingImports]  # optional
    from torch.nn.functional import softplus  # pyright: ignore[reportMissingImports]  # optional

    gpu = not devices.on_host() and torch.cuda.is_available()
    x, y, a, b = (
        torch.tensor(v, device="cuda" if gpu else "cpu")
        for v in (problem.x, problem.y, problem.a, problem.b)
    )
    slopes, intercepts = a.repeat_interleave(len(b))[:, None], b.repeat(len(a))[:, None]
    sign, positive = 1 - 2 * y, y > 0
    ce, accuracy = [], []
    step = max(1, (64 if gpu else 1) * BLOCK // len(x))
    with torch.inference_mode():
        for start in range(0, len(slopes), step):
            block = slice(start, start + step)
            z = torch.addcmul(intercepts[block], slopes[block], x)
            accuracy.append(((z > 0) == positive).sum(1).double() / len(x))
            ce.append(softplus(sign * z).mean(1).double())
        metrics = [
            torch.cat(blocks).reshape(problem.cells).cpu().numpy() for blocks in (ce, accuracy)
        ]
    return Values(metrics[0], metrics[1])


def jax_vmap(problem: LandscapeProblem) -> Values:
    """One cell as scalar maths, vmapped over a row of the grid, mapped over the rows, jitted."""
    with jax.enable_x64(problem.dtype == "float64"):
        ce, accuracy = _jax_kernel()(problem.x, problem.y, problem.a, problem.b)
        return Values(np.asarray(ce, np.float64), np.asarray(accuracy, np.float64))


@cache
def _jax_kernel() -> Callable[..., Any]:
    def landscape(x, y, a, b):
        row = jax.vmap(partial(_jax_cell, x, y), in_axes=(None, 0))
        return jax.lax.map(lambda slope: row(slope, b), a)

    return jax.jit(landscape)


def _jax_cell(x: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Cross-entropy and accuracy of one (a, b), traced by JAX."""
    z = a * x + b
    loss = jnp.mean(jax.nn.softplus(jnp.where(y > 0, -z, z)))
    return loss, jnp.mean((z > 0) == (y > 0), dtype=z.dtype)


@cache
def _jitted_cell() -> Callable[..., tuple[Any, Any]]:
    return jax.jit(_jax_cell)


def grid_search(problem: LandscapeProblem) -> Values:
    """A search of jax-grid-search, which writes its results to a folder and sorts them."""
    from jax_grid_search import (  # pyright: ignore[reportMissingImports]  # optional
        DistributedGridSearch,
    )

    with (
        jax.enable_x64(problem.dtype == "float64"),
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),  # it prints
        contextlib.redirect_stderr(io.StringIO()),
    ):
        x, y = jax.numpy.asarray(problem.x), jax.numpy.asarray(problem.y)
        search = DistributedGridSearch(
            lambda a, b: dict(zip(("value", "accuracy"), _jitted_cell()(x, y, a, b), strict=True)),
            {"a": problem.a, "b": problem.b},
            batch_size=BATCH,
            progress_bar=False,
            log_every=0,
            result_dir=folder,
        )
        search.run()
        results: dict[str, Any] = search.stack_results(folder)  # pyright: ignore  # untyped
    order = np.lexsort((results["b"], results["a"]))
    ce, accuracy = (
        np.asarray(results[name], np.float64)[order].reshape(problem.cells)
        for name in ("value", "accuracy")
    )
    return Values(ce, accuracy)


def r_loop(problem: LandscapeProblem) -> Values:
    """A loop over cells in R, vectorised over points. Start-up and files are not timed."""
    script = Path(__file__).with_name("peer.R")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("x", "y", "a", "b"):
            getattr(problem, name).tofile(Path(folder) / name)
        subprocess.run(
            ["Rscript", "--vanilla", script, folder, str(R_REPEATS)],
            check=True,
            capture_output=True,
        )
        numbers = np.fromfile(Path(folder) / "values")
    seconds, values = np.split(numbers, [R_REPEATS])
    ce, accuracy = values.reshape(2, *problem.cells)
    return Values(ce, accuracy, tuple(seconds.tolist()))


def _has_module(name: str) -> bool:
    return find_spec(name) is not None


def _has_program(name: str) -> bool:
    return shutil.which(name) is not None


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("numpy", "NumPy, a loop over cells", numpy_loop, partial(_has_module, "numpy")),
        Peer(
            "sklearn",
            "log_loss and accuracy_score, a loop over cells",
            sklearn_loop,
            partial(_has_module, "sklearn"),
            ("float64",),  # from float32 probabilities log_loss is off by 2e-4
        ),
        Peer("numba", "Numba, cells in parallel", numba_parallel, partial(_has_module, "numba")),
        Peer("torch", "PyTorch, blocks of cells", torch_blocks, partial(_has_module, "torch")),
        Peer("jax", "JAX, a plain jitted vmap", jax_vmap, partial(_has_module, "jax")),
        Peer(
            "jax-grid-search",
            "DistributedGridSearch over a jitted cell",
            grid_search,
            partial(_has_module, "jax_grid_search"),
        ),
        Peer("r", "R, a loop over cells", r_loop, partial(_has_program, "Rscript"), ("float64",)),
    )
}
"""The peers by name."""
