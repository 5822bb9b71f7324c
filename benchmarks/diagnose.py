"""How often findings are made of classifiers of which it is known what is the matter; and how fast.

Every case of `diagnosis_cases` is drawn with several seeds at each of its sizes. A finding
that holds too, of which the case says so, is no false one. Apart from that the whole diagnosis of
many logits is timed, bootstrap included, warm and in the same run as reading their losses once.

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
    """Codes of the findings about one drawing of a case."""
    given = case.draw(np.random.default_rng([seed, n]), n)
    return [one.code for one in sweep.diagnose(**given, replicates=0).findings]


def row(place: tuple[int, int], seeds: int) -> dict[str, Any]:
    """One case, by its number, at one size."""
    number, n = place
    case = all_cases()[number]
    found = [codes(case, n, seed) for seed in range(seeds)]
    count = Counter(code for one in found for code in one)
    foreign = [set(one) - case.also - {case.cause} for one in found]
    return {
        "cause": case.cause,
        "strength": case.strength,
        "n": n,
        "seeds": seeds,
        "found": count[case.cause] / seeds,
        "unexpected": sum(map(bool, foreign)) / seeds,
        "codes": {code: times / seeds for code, times in sorted(count.items())},
    }


def table(seeds: int, largest: int, cause: str | None) -> list[dict[str, Any]]:
    """All cases at all sizes, in as many processes as there are cores."""
    places = [
        (number, n)
        for number, case in enumerate(all_cases())
        for n in case.sizes
        if n <= largest and cause in (None, case.cause)
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(row, seeds=seeds), places))


def matrix(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each cause, how often every finding was made."""
    causes = dict.fromkeys(row["cause"] for row in rows)
    return {
        cause: {
            code: float(np.mean([row["codes"].get(code, 0.0) for row in of]))
            for code in CODES
            if any(code in row["codes"] for row in of)
        }
        for cause in causes
        for of in [[row for row in rows if row["cause"] == cause]]
    }


def speed(n: int, replicates: int) -> dict[str, Any]:
    """Seconds of a diagnosis of n logits, the second time; and memory beyond what was there."""
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
    print("how often each finding is made, by what is the matter; less than 1% is left out")
    for cause, found in document["matrix"].items():
        others = {code: share for code, share in found.items() if code != cause and share >= 0.01}
        beside = ", ".join(f"{code} {share:.0%}" for code, share in others.items())
        print(f"{cause:22}{found.get(cause, 0.0):>6.1%}  {beside}")
    totals = document["totals"]
    print(
        f"{totals['cases']} cases, {totals['runs']} runs: found {totals['found']:.2%}, the worst "
        f"cause {totals['worst']:.1%};\nfalse findings on healthy classifiers {totals['false']:.2%}"
    )
    if "speed" in document:
        took = document["speed"]
        print(
            f"n = {took['n']}, {took['replicates']} replicates: {took['seconds']:.2f} s warm, "
            f"{took['beyond_MiB']:.0f} MiB beyond"
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
    """Draws, diagnoses, prints, and writes the document if asked to."""
    parser = argparse.ArgumentParser(description="Findings against known causes, and their speed.")
    parser.add_argument("--seeds", type=int, default=20, help="drawings of each case at each size")
    parser.add_argument("--largest", type=float, default=1e5, help="the largest n")
    parser.add_argument("--cause", choices=CODES, help="cases of this cause only")
    parser.add_argument("--samples", type=float, default=1e6, help="logits that are timed; 0: none")
    parser.add_argument("--replicates", type=int, default=1000, help="bootstrap samples of these")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    asked = parser.parse_args()
    if asked.out is not None and asked.out.exists() and not asked.force:
        raise SystemExit(f"{asked.out} exists; give --force to overwrite it")
    document = machine()
    if asked.samples:
        document["speed"] = speed(int(asked.samples), asked.replicates)
    rows = table(asked.seeds, int(asked.largest), asked.cause)
    document |= {"totals": totals(rows), "matrix": matrix(rows), "rows": rows}
    print_report(document)
    if asked.out is not None:
        with staged(asked.out, force=asked.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
