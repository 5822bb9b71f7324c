"""Peak memory of a landscape beyond its input and output, against the budget it was given.

A few cells are checked against the definition in NumPy before anything is reported. Prints one JSON
document.

    python benchmarks/memory.py [EDGE] [POINTS] [BUDGET_MIB] [METHOD] [memory|zarr]
                                (default 300 100000 512 direct memory)

With `zarr` the landscape is written tile by tile, and no output is in memory:

    python benchmarks/memory.py 10000 1000000 512 compressed zarr
"""

import json
import sys

from sweep.base.memory import MEMORY_BUDGET
from sweep.benchmark.measurement import machine
from sweep.benchmark.run import memory


def main() -> None:
    """Measures one landscape and prints what it took."""
    edge, points, budget, method, place = (
        *sys.argv[1:],
        *("300", "100000", str(MEMORY_BUDGET // 2**20), "direct", "memory")[len(sys.argv) - 1 :],
    )
    size, streamed = int(budget) * 2**20, {"memory": False, "zarr": True}[place]
    found = memory(int(points), int(edge), method, streamed=streamed, memory_budget=size)
    document = {
        "cells": found["cells"],
        "points": found["n"],
        "seconds": found["seconds"],
        "stages": found["stages"],
        "evaluations_per_second": found["cells"] * found["n"] / found["seconds"],
        "output_MiB": found["output"] / 2**20,
        "beyond_MiB": found["beyond"] / 2**20,
        "budget_MiB": int(budget),
        **machine(),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
