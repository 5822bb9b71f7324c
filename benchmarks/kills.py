"""Kills a sweep at random moments and resumes it, and measures what resumability costs.

A process that runs or resumes the sweep gets kill -9 after a random share of the time of the whole
sweep: at its start, at work or at its end. A complete sweep must have the same store as an
uninterrupted one, byte for byte; then the next sweep begins, until there were enough kills. Every
task that a process begins is logged, so that repeated tasks are known.

In one process without interruption it also measures the time of a task that is not computation
(chunks, log, progress), and the time of `sweep status` on a run of 10,000 tasks.

    python benchmarks/kills.py [--out FILE.json] [--force]
                               [--kills 40] [--seeds 29] [--points 1e5] [--edge 1000]
                               [--tasks 10000]
"""

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sweep
from sweep.base import provenance
from sweep.base.files import staged
from sweep.benchmark.measurement import machine
from sweep.runs import log as run_log
from sweep.runs import store
from sweep.runs.directory import Directory, RunRecord
from sweep.runs.landscapes import Landscapes

LAWS = ["W1", "D1"]
IN_FLIGHT = 1  # tasks that one process works on at once


def killed_spec(seeds: int, points: int) -> sweep.Spec:
    """The sweep that is killed: with 29 seeds 60 tasks, two of them for the laws themselves."""
    return sweep.Spec(population=LAWS, n=[points, math.inf], seed=list(range(seeds)))


# --- kills --------------------------------------------------------------------------------------


def work(out: Path, text: str, log: Path) -> None:
    """Runs or resumes the sweep, and logs the number of every task before it is computed."""
    compute_task = store.compute
    begun_log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def logged(job: store.RunJob, index: int) -> Any:
        os.write(begun_log, f"{index}\n".encode())
        return compute_task(job, index)

    store.compute = logged
    if Directory(out).run_json.exists():
        sweep.resume(out, progress=False)
    else:
        sweep.run(sweep.Spec.of(json.loads(text)), out, progress=False)


def process(out: Path, spec: sweep.Spec, log: Path) -> subprocess.Popen[bytes]:
    """A process that calls `work`."""
    text = json.dumps(spec.to_dict())
    return subprocess.Popen([sys.executable, __file__, "--work", str(out), text, str(log)])


def begun(log: Path) -> list[int]:
    """The tasks that were begun, in order."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def done(out: Path) -> set[int]:
    """The tasks that are done."""
    return set(run_log.read(Directory(out).events).done)


def files(out: Path) -> dict[str, bytes]:
    """The store, file by file."""
    root = Directory(out).store
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


class Sweep:
    """One sweep that is killed until it is complete.

    Attributes:
        out: its directory.
    """

    def __init__(self, folder: Path, spec: sweep.Spec) -> None:
        folder.mkdir()
        self.out = folder / "out"
        self._log, self._spec = folder / "begun", spec

    def finish(self, kills: int, seconds: float, rng: random.Random) -> list[dict[str, Any]]:
        """Kills up to `kills` processes, each after up to `seconds`, and lets the last one end.

        Raises:
            SystemExit: tasks were repeated that were not in flight.
        """
        killed = []
        while True:
            kill = self._live(rng.uniform(0, seconds) if len(killed) < kills else None)
            if kill is None:
                break
            killed.append(kill)
        again = len(begun(self._log)) - Landscapes(self._spec).numbers.count()
        if again != sum(kill["computed_again"] for kill in killed):
            raise SystemExit(f"{again} tasks were repeated, not those in flight: {killed}")
        return killed

    def _live(self, seconds: float | None) -> dict[str, Any] | None:
        """What a process did until it was killed after `seconds`; None if it ended before."""
        before, already = done(self.out), len(begun(self._log))
        child = process(self.out, self._spec, self._log)
        try:
            child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        if child.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"a process ended with {child.returncode}")
        began, after = set(begun(self._log)[already:]), done(self.out)
        if before & began:
            raise SystemExit(f"tasks {sorted(before & began)} were done and were repeated")
        if child.returncode == 0:
            return None
        return {
            "after_s": seconds,
            "done_before": len(before),
            "done_after": len(after),
            "computed_again": len(began - after),
        }


def killed(spec: sweep.Spec, folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kills processes `kills` times, and compares every store with an uninterrupted one.

    Raises:
        SystemExit: a store differs.
    """
    rng, each, sweeps = random.Random(seed), [], 0
    uninterrupted, start = Sweep(folder / "whole", spec), time.perf_counter()
    uninterrupted.finish(0, 0.0, rng)
    seconds = time.perf_counter() - start
    while len(each) < kills:
        interrupted = Sweep(folder / f"sweep{sweeps}", spec)
        each += interrupted.finish(kills - len(each), seconds, rng)
        if files(interrupted.out) != files(uninterrupted.out):
            raise SystemExit(f"the store of {interrupted.out} differs from {uninterrupted.out}")
        sweeps += 1
    return {
        "tasks": Landscapes(spec).numbers.count(),
        "uninterrupted_s": seconds,
        "sweeps_equal_byte_for_byte": sweeps,
        "most_computed_again": max(kill["computed_again"] for kill in each),
        "in_flight": IN_FLIGHT,
        "each": each,
    }


# --- what resumability costs ---------------------------------------------------------------------


def overhead(spec: sweep.Spec, folder: Path) -> dict[str, Any]:
    """Seconds of a task that are not computation, in this process and without compilation."""
    spent, moments, compute = [], {}, Landscapes.compute

    def timed(self: Landscapes, task: int, data: tuple[str, ...]) -> Any:
        start = time.perf_counter()
        moments.setdefault("first", start)  # the store is there by then
        values = compute(self, task, data)
        spent.append(time.perf_counter() - start)
        return values

    def watch(event: dict[str, Any]) -> None:
        moments[event["event"]] = time.perf_counter()

    sweep.run(spec, folder / "compiling", progress=False)
    Landscapes.compute = timed
    sweep.run(spec, folder / "timed", progress=False, on_event=watch)
    Landscapes.compute = compute
    count = Landscapes(spec).numbers.count()
    total = moments["finished"] - moments["first"]
    return {
        "tasks": count,
        "cells": math.prod(min(length, spec.tile) for length in spec.grid.shape),
        "task_ms": 1e3 * total / count,
        "computation_ms": 1e3 * sum(spent) / count,
        "overhead_ms": 1e3 * (total - sum(spent)) / count,
    }


def status_seconds(count: int, folder: Path, like: Path, repeats: int = 3) -> dict[str, Any]:
    """Seconds of the status of a finished run of `count` tasks, with log lines as in `like`."""
    seeds = list(range(count // len(LAWS)))
    spec = sweep.Spec(population=LAWS, n=1000, seed=seeds)
    directory = Directory(folder / "status")
    directory.path.mkdir()
    record = RunRecord(spec.to_toml(), spec.fingerprint, "/", provenance.versions(), "cpu", ())
    directory.begin(record)
    finished = list(run_log.read(Directory(like).events).done.values())
    work, write = Landscapes(spec), run_log.Writer(directory.events)
    tasks = range(work.numbers.count())
    with write.alive():
        for k in tasks:
            done, counts = finished[k % len(finished)], {"done": k + 1, "total": len(tasks)}
            seconds = round(done.seconds, 6)
            write.mark(done._replace(task=k), **work.describe(k), seconds=seconds, **counts)
    command = [sys.executable, "-m", "sweep", "status", str(directory.path), "--json"]

    def ask() -> None:
        shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        if (shown["total"], shown["done"]) != (len(tasks),) * 2:
            raise SystemExit(f"the status is wrong: {shown}")

    return {
        "tasks": len(tasks),
        "command_s": least(ask, repeats),
        "function_s": least(lambda: sweep.status(directory.path), repeats),
    }


def least(function: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def print_table(document: dict[str, Any]) -> None:
    """The main numbers, in lines."""
    kills, status = document["kills"], document["status"]
    print(
        f"{len(kills['each'])} kills in {kills['sweeps_equal_byte_for_byte']} sweeps of "
        f"{kills['tasks']} tasks ({kills['uninterrupted_s']:.1f} s): every store equal, byte for "
        f"byte;\nat most {kills['most_computed_again']} task repeated per kill, and "
        f"{kills['in_flight']} is in flight"
    )
    for cost in document["overhead"]:
        print(
            f"a task of {cost['cells']} cells takes {cost['task_ms']:.1f} ms, of which "
            f"{cost['overhead_ms']:.1f} ms are not computation"
        )
    print(
        f"status of {status['tasks']} tasks: {status['command_s']:.2f} s as a command, "
        f"{status['function_s']:.2f} s in Python"
    )
    print(f"{document['cores']} cores, {document['device']}, jax {document['versions']['jax']}")


def measured(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All measurements."""
    points = int(args.points)
    spec = killed_spec(args.seeds, points)
    axis = f"-5:5:{args.edge}"
    large = sweep.Spec(population="W1", n=points, seed=list(range(6)), a=axis, b=axis)
    kills = killed(spec, folder, args.kills, args.seed)
    costs = []
    for name, timed_spec in (("small", spec), ("large", large)):
        (folder / name).mkdir()
        costs.append(overhead(timed_spec, folder / name))
    status = status_seconds(args.tasks, folder, folder / "whole" / "out")
    return {"kills": kills, "overhead": costs, "status": status, "seed": args.seed, **machine()}


def main() -> None:
    """Measures, prints the table, and writes the document for --out."""
    parser = argparse.ArgumentParser(description="Kills and resumes a sweep, and times it.")
    parser.add_argument("--kills", type=int, default=40, help="kills in all")
    parser.add_argument("--seeds", type=int, default=29, help="seeds of the sweep")
    parser.add_argument("--points", type=float, default=1e5, help="the largest n")
    parser.add_argument("--edge", type=int, default=1000, help="cells of the larger grid, a side")
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks for the status")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--out", type=Path, help="write the JSON document here")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(Path(args.work[0]), args.work[1], Path(args.work[2]))
        return
    if args.out is not None and args.out.exists() and not args.force:
        raise SystemExit(f"{args.out} exists; give --force to overwrite it")
    with tempfile.TemporaryDirectory() as folder:
        document = measured(args, Path(folder))
    print_table(document)
    if args.out is not None:
        with staged(args.out, force=args.force) as partial_file:
            partial_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
