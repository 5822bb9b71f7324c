"""How often a diagnosis finds a known fault, how often it finds a false one, and its speed.

Every case of `diagnosis_cases` is drawn with several seeds at each of its sizes. Other findings
that a case lists as true do not count as false. The diagnosis of many logits is timed with its
bootstrap, without compilation.

    python benchmarks/diagnose.py [--out FILE.json] [--force] [--seeds 20] [--largest 1e5]
                                  [--cause CODE] [--samples 1e6] [--replicates 1000]
"""

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from diagnosis_cases import Case, all_cases, labels

import sweep
from sweep.base.files import staged
from sweep.benchmark.measurement import Peak, machine
from sweep.diagnosis.findings.rules import CODES

MIB = 2**20


def codes(case: Case, n: int, seed: int) -> list[str]:
    """Codes of the findings for one draw of a case."""
    arguments = case.draw(np.random.default_rng([seed, n]), n)
    return [finding.code for finding in sweep.diagnose(**arguments, replicates=0).findings]


def row(number_and_size: tuple[int, int], seeds: int) -> dict[str, Any]:
    """One case, by its number, at one size."""
    number, n = number_and_size
    case = all_cases()[number]
    draws = [codes(case, n, seed) for seed in range(seeds)]
    count = Counter(code for draw in draws for code in draw)
    unexpected = [set(draw) - case.also - {case.cause} for draw in draws]
    return {
        "cause": case.cause,
        "strength": case.strength,
        "n": n,
        "seeds": seeds,
        "found": count[case.cause] / seeds,
        "unexpected": sum(map(bool, unexpected)) / seeds,
        "codes": {code: times / seeds for code, times in sorted(count.items())},
    }


def table(seeds: int, largest: int, cause: str | None) -> list[dict[str, Any]]:
    """All cases at all sizes, in one process for each core."""
    numbers_and_sizes = [
        (number, n)
        for number, case in enumerate(all_cases())
        for n in case.sizes
        if n <= largest and cause in (None, case.cause)
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(row, seeds=seeds), numbers_and_sizes))


def matrix(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The share of draws with each finding, by cause."""
    shares = {}
    for cause in dict.fromkeys(row["cause"] for row in rows):
        of_cause = [row["codes"] for row in rows if row["cause"] == cause]
        shares[cause] = {
            code: float(np.mean([share.get(code, 0.0) for share in of_cause]))
            for code in CODES
            if any(code in share for share in of_cause)
        }
    return shares


def speed(n: int, replicates: int) -> dict[str, Any]:
    """Seconds of a second diagnosis of n logits, and its memory beyond what was in use."""
    rng = np.random.default_rng(0)
    t = rng.normal(0.0, 2.0, n)
    y = labels(rng, t)
    sweep.diagnose(y, 1.5 * t, replicates=replicates)  # which compiles
    with Peak() as peak:
        start = time.perf_counter()
        sweep.diagnose(y, 1.5 * t, replicates=replicates)
        seconds = time.perf_counter() - start
    return {
        "n": n,
        "replicates": replicates,
        "seconds": seconds,
        "beyond_MiB": (peak.highest - peak.before) / MIB,
    }


def print_report(document: dict[str, Any]) -> None:
    """The matrix and the totals, in lines of 80 columns."""
    print("share of runs with each finding, by cause; shares below 1% are left out")
    for cause, shares in document["matrix"].items():
        others = {code: share for code, share in shares.items() if code != cause and share >= 0.01}
        text = ", ".join(f"{code} {share:.0%}" for code, share in others.items())
        print(f"{cause:22}{shares.get(cause, 0.0):>6.1%}  {text}")
    totals = document["totals"]
    print(
        f"{totals['cases']} cases, {totals['runs']} runs: found {totals['found']:.2%}, the worst "
        f"cause {totals['worst']:.1%};\nfalse findings on healthy classifiers {totals['false']:.2%}"
    )
    if "speed" in document:
        timing = document["speed"]
        print(
            f"n = {timing['n']}, {timing['replicates']} replicates: {timing['seconds']:.2f} s "
            f"warm, {timing['beyond_MiB']:.0f} MiB beyond the input"
        )


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Detection and false findings over all rows."""
    sick = [row for row in rows if row["cause"] != "healthy"]
    healthy = [row for row in rows if row["cause"] == "healthy"]
    by_cause = [
        float(np.mean([row["found"] for row in sick if row["cause"] == cause]))
        for cause in {row["cause"] for row in sick}
    ]
    return {
        "cases": len({(row["cause"], row["strength"]) for row in rows}),
        "runs": sum(row["seeds"] for row in rows),
        "found": float(np.mean([row["found"] for row in sick])) if sick else 1.0,
        "worst": min(by_cause, default=1.0),
        "worst_row": min((row["found"] for row in sick), default=1.0),
        "false": float(np.mean([1 - row["found"] for row in healthy])) if healthy else 0.0,
    }


def main() -> None:
    """Measures, prints the report, and writes the document for --out."""
    parser = argparse.ArgumentParser(description="Findings for known causes, and their speed.")
    parser.add_argument("--seeds", type=int, default=20, help="draws of each case at each size")
    parser.add_argument("--largest", type=float, default=1e5, help="the largest n")
    parser.add_argument("--cause", choices=CODES, help="cases of this cause only")
    parser.add_argument("--samples", type=float, default=1e6, help="logits to time; 0: none")
    parser.add_argument("--replicates", type=int, default=1000, help="bootstrap samples in it")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    args = parser.parse_args()
    if args.out is not None and args.out.exists() and not args.force:
        raise SystemExit(f"{args.out} exists; give --force to overwrite it")
    document = machine()
    if args.samples:
        document["speed"] = speed(int(args.samples), args.replicates)
    rows = table(args.seeds, int(args.largest), args.cause)
    document |= {"totals": totals(rows), "matrix": matrix(rows), "rows": rows}
    print_report(document)
    if args.out is not None:
        with staged(args.out, force=args.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
