"""Times of `sweep --help`, and of `sweep illustrate` with compilation and figures.

Each run is a new process. Its exit code and its output are checked before a time counts. Prints one
JSON document.

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
    """Wall time of one run in an empty directory; it must succeed and print `expected`."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "sweep", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        elapsed = time.perf_counter() - start
    if expected not in done.stdout or "DIFFERS" in done.stdout:
        raise SystemExit(f"sweep {' '.join(arguments)} did not print {expected!r}:\n{done.stdout}")
    return elapsed


def main() -> None:
    """Times every command and prints the medians and all runs."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    results = {}
    for name, (arguments, expected) in COMMANDS.items():
        times = [seconds(arguments, expected) for _ in range(runs)]
        results[name] = {"median_s": statistics.median(times), "runs_s": times}
    print(json.dumps({"commands": results, **machine()}, indent=2))


if __name__ == "__main__":
    main()
