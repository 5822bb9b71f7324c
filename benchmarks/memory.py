"""Peak memory of a landscape beyond its input and output, beside its budget.

A few cells are compared with the definition in NumPy first. Prints one JSON document.

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
    """Measures one landscape and prints its memory and time."""
    edge, points, budget, method, destination = (
        *sys.argv[1:],
        *("300", "100000", str(MEMORY_BUDGET // 2**20), "direct", "memory")[len(sys.argv) - 1 :],
    )
    size, streamed = int(budget) * 2**20, {"memory": False, "zarr": True}[destination]
    measured = memory(int(points), int(edge), method, streamed=streamed, memory_budget=size)
    document = {
        "cells": measured["cells"],
        "points": measured["n"],
        "seconds": measured["seconds"],
        "stages": measured["stages"],
        "evaluations_per_second": measured["cells"] * measured["n"] / measured["seconds"],
        "output_MiB": measured["output"] / 2**20,
        "beyond_MiB": measured["beyond"] / 2**20,
        "budget_MiB": int(budget),
        **machine(),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
