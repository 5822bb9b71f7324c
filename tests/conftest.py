"""Strictness for every test: shapes and types checked at run time, no silent JAX promotion."""

import json
import os
import tempfile
from pathlib import Path

import jax
import jaxtyping
import matplotlib
import numpy as np
import pytest
from hypothesis import settings

from tests.support import checked

# Before anything imports sweep: from here on every annotated signature in it is checked.
jaxtyping.jaxtyped = checked.jaxtyped  # what the hook writes at each definition
HOOK = jaxtyping.install_import_hook("sweep", None)

matplotlib.use("agg")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The same examples every time: a red test is red again when it is rerun.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure(config):
    """What one worker has compiled, no other has to, nor the processes that tests start.

    The cache is a new one each time: none of its entries is of another machine, or was cut off.
    Processes that tests start, and some of which they kill, do not write to it. It has a size
    because then JAX locks it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # not a worker, nor is there one to keep
        folder = tempfile.TemporaryDirectory(prefix="sweep-compiled-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ |= {
            "JAX_COMPILATION_CACHE_DIR": folder.name,
            "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9",
        }
        jax.config.update("jax_compilation_cache_dir", folder.name)
        jax.config.update("jax_compilation_cache_max_size", 2**30)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


FIRST = ("test_study.py", "test_compressed.py", "test_house.py", "test_scripts.py")
"""The longest files: no worker begins one as the others end. What the first compiles, all have."""


def pytest_collection_modifyitems(items):
    """Puts the longest files first, each whole."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def r_reference():
    """What R 4.2.2 found, by the illustration's number: numbers, and the grid as arrays."""
    folder = Path(__file__).parent / "reference"
    numbers = json.loads((folder / "illustrations.json").read_text())
    grids = {k: dict(np.load(folder / f"illustration{k}_grid.npz")) for k in (1, 2, 3)}
    return {k: numbers[f"illustration{k}"] | {"grid": grids[k]} for k in grids}


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs the command line in an empty directory: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    from sweep import cli  # after the hook

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def refused(run, tmp_path):
    """Runs a command that must fail in one sentence and leave no file behind."""

    def call(code, *arguments):
        before = sorted(tmp_path.rglob("*"))
        found, out, err = run(*arguments)
        assert (found, out) == (code, ""), err
        assert err.startswith("sweep: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return call
