"""The command line: parse, call, print. The only module that prints.

Exit codes: 0 done; 1 the request could not be met; 2 wrong usage; 130 interrupted. Whatever is
wrong is one sentence on stderr. Heavy modules are imported by the command that needs them, so that
`sweep --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

import sweep
from sweep import store
from sweep.data import ILLUSTRATIONS, InputError, Sample, load
from sweep.grid import AxisError, axis
from sweep.landscape import BUDGET
from sweep.losses import known as known_metrics
from sweep.losses import metric as metric_named
from sweep.records import plain

if TYPE_CHECKING:
    import xarray as xr

    from sweep.illustrate import Illustration
    from sweep.optimum import Optimum

app = App(
    name="sweep",
    help="Loss and accuracy landscapes of p = sigmoid(a*x + b): why the two disagree.",
    version=sweep.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)

Out = Annotated[Path | None, Parameter(help="Write the result here: .nc (netCDF) or .zarr.")]
FigureFile = Annotated[Path | None, Parameter(name="--figure", help="Draw it: .png, .pdf, .svg.")]
Force = Annotated[bool, Parameter(negative="", help="Overwrite what is there.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
XName = Annotated[str, Parameter(name="--x", help="Column of inputs.")]
YName = Annotated[str, Parameter(name="--y", help="Column of labels in [0, 1].")]
WeightName = Annotated[
    str | None, Parameter(name="--weight", help="Column of weights (default: weight, if there).")
]
Slopes = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of slopes.")]
Intercepts = Annotated[str, Parameter(allow_leading_hyphen=True, help="Axis of intercepts.")]
Metrics = Annotated[
    tuple[str, ...],
    Parameter(
        consume_multiple=True,
        negative="",
        help=f"Any of {known_metrics()}; the README has their formulas.",
        show_default=" ".join,
    ),
]

PARTS = ("sample", "slices", "landscapes", "cells")
"""The figures of one illustration."""

CUTS_SHOWN = 10
"""Intervals of optimal cuts that are printed; --json has them all."""


class UsageError(InputError):
    """The command line names something that does not exist."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(
            arguments or ["--help"],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        print(end="", flush=True)  # which does nothing where there is no standard output
    except (CycloptsError, AxisError, UsageError) as error:
        return _say(error, 2)
    except InputError as error:
        return _say(error, 1)
    except KeyboardInterrupt:
        return _say("interrupted; nothing was left half-written", 130)
    except OSError as error:
        # Python flushes stdout once more as it exits, and would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            return 1
        return _say(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    except MemoryError:
        return _say("there is not enough memory; ask for fewer cells or points", 1)
    return 0


def _say(error: Exception | str, code: int) -> int:
    print("sweep: " + " ".join(str(error).split()), file=sys.stderr)
    return code


@app.command
def illustrate(
    number: Annotated[Literal[1, 2, 3] | None, Parameter(help="Default: all three.")] = None,
    /,
    *,
    out: Annotated[Path, Parameter(help="Directory of the figures.")] = Path("illustrations"),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The three published illustrations: published numbers beside computed ones, and figures."""
    from sweep import figures
    from sweep.illustrate import illustrate as compute

    numbers = ILLUSTRATIONS if number is None else (number,)
    together = [out / "illustrations.png"] if number is None else []
    names = {k: {part: out / f"illustration{k}_{part}.png" for part in PARTS} for k in numbers}
    _make_directory(out)
    for path in [*together, *(path for parts in names.values() for path in parts.values())]:
        store.require_free(path, force=force)
    results = [compute(k) for k in numbers]
    documents = []
    for result in results:
        drawn = {
            "sample": figures.sample(result.sample, result.optimum),
            "slices": figures.slices(result.along_b, result.along_a, result.optimum),
            "landscapes": figures.landscapes(result.landscape, result.optimum),
            "cells": figures.cells(result.landscape, result.optimum),
        }
        paths = names[result.number]
        for part in PARTS:
            figures.write(drawn[part], paths[part], force=force)
        documents.append(result.to_dict() | {"figures": [str(path) for path in paths.values()]})
        if not as_json:
            _print_illustration(result, list(paths.values()))
    for path in together:
        columns = [(_title(r), r.landscape, r.optimum) for r in results]
        figures.write(figures.small_multiples(columns), path, force=force)
    if as_json:
        _print_json({"illustrations": documents, "figures": [str(path) for path in together]})
    else:
        for path in together:
            print(f"All landscapes together: {path}")


def _title(result: Illustration) -> str:
    return f"n = {len(result.sample)}, accuracy lost {result.optimum.regret:.2g}"


@app.command
def landscape(
    data: Annotated[Path, Parameter(help="CSV, NPY or NPZ with columns x, y and maybe weight.")],
    /,
    *,
    a: Slopes = "-5:5:101",
    b: Intercepts = "-5:5:101",
    metric: Metrics = ("cross_entropy", "accuracy"),
    tolerance: Annotated[
        float, Parameter(help="Largest error accepted, as a multiple of max(1, value).")
    ] = 1e-9,
    method: Annotated[
        Literal["auto", "direct", "compressed"],
        Parameter(help="How smooth metrics are computed: auto takes the cheaper."),
    ] = "auto",
    dtype: Annotated[
        Literal["float64", "float32"], Parameter(help="Precision of smooth metrics.")
    ] = "float64",
    memory: Annotated[int, Parameter(help="Working memory in MiB.")] = BUDGET // 2**20,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Out = None,
    figure: FigureFile = None,
    force: Force = False,
    quiet: Annotated[bool, Parameter(negative="", help="Show no progress.")] = False,
    as_json: Json = False,
) -> None:
    """Metrics over a grid of slopes a and intercepts b, such as --a=-5:5:101 --b=-5:5:101.

    An axis is LOW:HIGH:COUNT (both ends included), LOW:HIGH:COUNT:log, or a list 0,1,2.5.
    """
    _require_outputs(data, out, figure, force)
    if out is not None:
        store.require_format(out)
    _require_metrics(metric)
    if memory < 1:
        raise UsageError(f"--memory={memory}: at least 1 MiB is needed")
    if not 0 < tolerance < float("inf"):
        raise UsageError(f"--tolerance={tolerance:g}: a positive number is needed")
    slopes, intercepts = axis(a, "--a"), axis(b, "--b")
    sample = load(data, x=x, y=y, weight=weight)
    best = None if figure is None else sweep.optimum(sample)
    result = sweep.landscape(
        sample,
        slopes,
        intercepts,
        metric,
        tolerance=tolerance,
        method=method,
        dtype=dtype,
        memory_budget=memory * 2**20,
        progress=False if quiet else None,
    )
    if out is not None:
        store.save(result, out, force=force)
    if figure is not None and best is not None:
        from sweep import figures

        figures.write(figures.landscapes(result, best), figure, force=force)
    if as_json:
        _print_json(result.to_dict())
    else:
        _print_landscape(data, result, [path for path in (out, figure) if path is not None])


@app.command
def optimum(
    data: Annotated[Path, Parameter(help="CSV, NPY or NPZ with columns x, y and maybe weight.")],
    /,
    *,
    x: XName = "x",
    y: YName = "y",
    weight: WeightName = None,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The exact optimum of cross-entropy and of accuracy, and whether they share it."""
    _require_outputs(data, out, figure, force)
    sample = load(data, x=x, y=y, weight=weight)
    result = sweep.optimum(sample)
    if out is not None:
        _write_document(out, result.to_dict(), force=force)
    if figure is not None:
        from sweep import figures

        figures.write(figures.sample(sample, result), figure, force=force)
    if as_json:
        _print_json(result.to_dict())
    else:
        _print_optimum(data, sample, result)


@app.command
def bench(
    *,
    quick: Annotated[bool, Parameter(negative="", help="Half a minute, on small sizes.")] = False,
    full: Annotated[bool, Parameter(negative="", help="Much longer, to n = 1e8.")] = False,
    peers: Annotated[
        str | None, Parameter(help="Names, with commas between; default: all.")
    ] = None,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """This library and its peers side by side, outputs checked before a time counts.

    A peer that is not installed is skipped; what takes too long is extrapolated, and marked.
    """
    from sweep.bench.run import PLANS
    from sweep.bench.run import bench as measure
    from sweep.bench.scoreboard import scoreboard

    if quick and full:
        raise UsageError("--quick and --full exclude each other")
    names = _peers(peers)
    _require_outputs(None, out, figure, force)
    plan = PLANS["quick" if quick else "full" if full else "default"]
    result = measure(plan, names, _progress if sys.stderr.isatty() else lambda line: None)
    document = result.to_dict()
    if not as_json:
        print(scoreboard(document), flush=True)  # first: it is there even if a disk is full
    if out is not None:
        _write_document(out, document, force=force)
    if figure is not None:
        from sweep import figures

        figures.write(figures.bench(document), figure, force=force)
    if as_json:
        _print_json(document)
    else:
        for path in (out, figure):
            if path is not None:
                print(f"written: {path}")
        print("All numbers: --json or --out FILE.json; as a figure: --figure FILE.png")
    if result.mismatches:
        raise InputError(f"outputs differ, so no time counts: {'; '.join(result.mismatches)}")


def _write_document(path: Path, value: Any, *, force: bool) -> None:
    with store.staged(path, force=force) as partial:
        partial.write_text(_document(value) + "\n", encoding="utf-8")


def _peers(names: str | None) -> tuple[str, ...]:
    from sweep.bench.peers import PEERS

    wanted = (
        tuple(PEERS)
        if names is None
        else tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    )
    for name in wanted:
        if name not in PEERS:
            raise UsageError(f"--peers: there is no {name!r}; there are {', '.join(PEERS)}")
    return wanted


def _progress(line: str) -> None:
    print(line, file=sys.stderr)


def _require_outputs(data: Path | None, out: Path | None, figure: Path | None, force: bool) -> None:
    """Refuses outputs that could not be written before anything is computed for them."""
    for path in (out, figure):
        if path is not None:
            store.require_free(path, force=force)
            if data is not None and path.exists() and data.exists() and path.samefile(data):
                raise InputError(f"{path}: is the file of data and stays as it is")
    if figure is not None:
        from sweep import figures

        figures.require_format(figure)
        if out is not None and out.absolute() == figure.absolute():
            raise InputError(f"{out}: cannot be the result and the figure at once")


def _require_metrics(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            metric_named(name)
        except InputError as error:
            raise UsageError(f"--metric: {error}") from None


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made a directory ({error.strerror})") from None


def _document(value: Any) -> str:
    return json.dumps(plain(value), allow_nan=False)


def _print_json(value: Any) -> None:
    print(_document(value))


def _print_illustration(result: Illustration, written: list[Path]) -> None:
    print(f"Illustration {result.number}: {len(result.sample)} points, true model: {result.truth}")
    print(f"  {'':42}{'thread':7}{'R':14}computed")
    for row in result.comparisons:
        computed = row.computed if row.agrees else f"{row.computed}  DIFFERS"
        print(f"  {row.quantity:42}{row.thread or '':7}{row.R or '':14}{computed}")
    _print_answer(result.optimum)
    for path in written:
        print(f"  written: {path}")
    print()


def _print_landscape(data: Path, result: xr.Dataset, written: list[Path]) -> None:
    cells = f"{result.sizes['a']} x {result.sizes['b']} cells"
    print(f"{data}: {result.attrs['n']} points, {cells}{_method(result.attrs)}")
    names = [str(name) for name in result.data_vars if name != "correct"]
    width = max(len(name) for name in names)
    for name in names:
        metric = result[name]
        ends = {"lowest": metric.argmin(...), "highest": metric.argmax(...)}
        for end, index in ends.items():
            cell = metric[index]
            place = f"a = {cell.a.item():g}, b = {cell.b.item():g}"
            ties = int((metric == cell).sum())
            among = f" and {ties - 1} more" if ties > 1 else ""
            print(f"  {end:8}{name:{width}}  {cell.item():.10g} at {place}{among}")
    for path in written:
        print(f"  written: {path}")


def _method(attrs: dict[str, Any]) -> str:
    """How smooth metrics were computed, and how wrong they can be."""
    if "method" not in attrs:
        return ""
    seen = f", {attrs['observed_error']:.0e} seen" if "observed_error" in attrs else ""
    return f", {attrs['method']}: error at most {attrs['error_bound']:.0e}{seen}"


def _print_optimum(data: Path, sample: Sample, result: Optimum) -> None:
    print(f"{data}: {len(sample)} points")
    _print_answer(result)


def _print_answer(result: Optimum) -> None:
    ce, accuracy = result.cross_entropy, result.accuracy
    print(textwrap.fill(ce.status.value, 80, initial_indent="  ", subsequent_indent="  "))
    if ce.status.name == "finite":
        print(f"  least cross-entropy  {ce.value:.12g} nats")
        print(f"  at                   a = {ce.a:.12g}, b = {ce.b:.12g}")
        side = {1: "class 1 above", -1: "class 1 below", 0: "no cut: a = 0"}[ce.orientation]
        print(f"  its cut              {ce.cut:.12g} ({side})" if ce.orientation else f"  {side}")
    print(f"  highest accuracy     {accuracy.value:.12g} ({accuracy.correct:.12g} correct), for:")
    for low, high, orientation in accuracy.cuts[:CUTS_SHOWN]:
        print(f"    cuts in {_interval(low, high, orientation)}")
    if len(accuracy.cuts) > CUTS_SHOWN:
        print(f"    and {len(accuracy.cuts) - CUTS_SHOWN} more intervals (--json has them all)")
    for constant in accuracy.constants:
        print(f"    predicting class {constant} everywhere")
    if result.shared is None:
        print("  So whether the two share an optimum cannot be said.")
    elif result.shared:
        print("  They share an optimum: the one of cross-entropy has the highest accuracy.")
    else:
        print("  They do not share an optimum: at the least cross-entropy")
        print(f"    accuracy is lower by {result.regret:.6g}, and")
        print(f"    the cut is {result.distance:.6g} away from the nearest best one.")


def _interval(low: float, high: float, orientation: int) -> str:
    """An interval of cuts, with as many digits as tell its ends apart."""
    short, exact = (f"{low:.9g}", f"{high:.9g}"), (repr(low), repr(high))
    ends = ", ".join(short if short[0] != short[1] else exact)
    return f"({ends}], class 1 above" if orientation > 0 else f"[{ends}), class 1 below"


if __name__ == "__main__":
    main()
