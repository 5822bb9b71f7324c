"""How long a user waits: `sweep --help`, and `sweep illustrate` with compilation and figures.

Each run is a process of its own. The exit code and what is printed are checked before a time
counts. Prints one JSON document.

    python benchmarks/cold_start.py [RUNS]
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time

from sweep.benchmark.measurement import machine

COMMANDS = {
    "help": (["--help"], "illustrate"),
    "illustrate": (["illustrate"], "grid cells with most correct              "),
}


def seconds(arguments: list[str], expected: str) -> float:
    """Wall time of one run in an empty directory, which must succeed and print `expected`."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "sweep.cli", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        elapsed = time.perf_counter() - start
    if expected not in done.stdout or "DIFFERS" in done.stdout:
        raise SystemExit(f"sweep {' '.join(arguments)} printed something else:\n{done.stdout}")
    return elapsed


def main() -> None:
    """Times every command and prints the medians with all runs."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    results = {}
    for name, (arguments, expected) in COMMANDS.items():
        times = [seconds(arguments, expected) for _ in range(runs)]
        results[name] = {"median_s": statistics.median(times), "runs_s": times}
    print(json.dumps({"commands": results, **machine()}, indent=2))


if __name__ == "__main__":
    main()
