"""The benchmarks run, on small sizes; what they time is not judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


def _run(name, *arguments):
    done = subprocess.run(
        [sys.executable, FOLDER / name, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_cold_start_times_both_commands():
    document = _run("cold_start.py", "1")
    assert set(document["commands"]) == {"help", "illustrate"}
    assert {"cores", "device", "python", "versions"} <= set(document)


@pytest.mark.parametrize(("edge", "points"), [("100", "50000"), ("700", "200")])
def test_memory_stays_within_the_budget(edge, points):
    document = _run("memory.py", edge, points, "16")
    assert document["cells"] == int(edge) ** 2
    assert document["beyond_MiB"] <= document["budget_MiB"]
