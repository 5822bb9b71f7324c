"""Strictness for every test: shapes and types checked at run time, no silent JAX promotion."""

import json
import os
from pathlib import Path

import jax
import jaxtyping
import matplotlib
import numpy as np
import pytest
from hypothesis import settings

import tests.checked  # noqa: F401  # the hook names it, but does not import it

# Before anything imports sweep: from here on every annotated signature in it is checked.
HOOK = jaxtyping.install_import_hook("sweep", "tests.checked.checked")

matplotlib.use("agg")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The same examples every time: a red test is red again when it is rerun.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
