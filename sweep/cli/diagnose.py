"""`sweep diagnose`: why the loss and the accuracy of a classifier disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import sweep
from sweep import figures, report
from sweep.base.ranges import pair
from sweep.base.tables import Table
from sweep.cli.app import UsageError
from sweep.cli.options import FigureFile, Force, Json, integer
from sweep.cli.outputs import document, print_json, print_tables, require_apart, together
from sweep.data import history as history_files
from sweep.data import predictions as prediction_files
from sweep.diagnosis import tables
from sweep.diagnosis.findings.rules import CODES
from sweep.diagnosis.report import Diagnosis

Text = Annotated[str | None, Parameter(allow_leading_hyphen=True)]  # may begin with a minus


def diagnose(
    predictions: Annotated[
        Path, Parameter(help="CSV, Parquet or NPZ file with columns y and logit or probability.")
    ],
    /,
    *,
    pos_label: Annotated[
        Text, Parameter(help="Label of class 1, if labels are not 0 and 1.")
    ] = None,
    y: Annotated[Text, Parameter(name="--y", help="Column of labels (default: y).")] = None,
    logit: Annotated[
        Text, Parameter(help="Column of logits; class NAME has the column logit_NAME.")
    ] = None,
    probability: Annotated[
        Text, Parameter(help="Column of probabilities; class NAME has the column probability_NAME.")
    ] = None,
    weight: Annotated[
        Text, Parameter(help="Column of weights (default: weight, if present).")
    ] = None,
    clip: Annotated[
        float | None, Parameter(help="Clip probabilities to [EPS, 1-EPS], as Keras with 1e-7.")
    ] = None,
    history: Annotated[
        Path | None, Parameter(help="Losses and accuracies by epoch: .json or .csv.")
    ] = None,
    fitted: Annotated[Text, Parameter(help="Judge this fit of sigmoid(a z + b): a,b.")] = None,
    platt: Annotated[Text, Parameter(help="Judge this fit of 1/(1 + exp(A z + B)): A,B.")] = None,
    temperature: Annotated[
        float | None,
        Parameter(allow_leading_hyphen=True, help="Judge this fit of sigmoid(z/T): T."),
    ] = None,
    ignore: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=True,
            negative="",
            show_default=False,
            help=f"Findings to leave out: {', '.join(CODES)}.",
        ),
    ] = (),
    replicates: Annotated[
        int, Parameter(converter=integer, help="Bootstrap samples; 0 for no intervals.")
    ] = 1000,
    seed: Annotated[int, Parameter(converter=integer, help="Seed of the bootstrap.")] = 0,
    out: Annotated[Path | None, Parameter(help="Write the JSON document here.")] = None,
    figure: FigureFile = None,
    html: Annotated[Path | None, Parameter(help="Write a page for the browser: .html.")] = None,
    force: Force = False,
    quiet: Annotated[bool, Parameter(negative="", help="Print the findings only.")] = False,
    as_json: Json = False,
) -> None:
    """Says why loss and accuracy of a classifier disagree."""
    fitted_pair = None if fitted is None else pair(fitted, "--fitted", "1.2,-0.3")
    platt_pair = None if platt is None else pair(platt, "--platt", "-1.2,0.3")
    _require_usage(logit, probability, [fitted_pair, platt_pair, temperature], ignore)
    _require_outputs([predictions, history], out, figure, html, force=force)
    data = prediction_files.load(
        predictions,
        y=y,
        logit=logit,
        probability=probability,
        weight=weight,
        pos_label=pos_label,
        clip=clip,
    )
    result = sweep.diagnose(
        data,
        history=None if history is None else history_files.load(history),
        fitted=fitted_pair,
        platt=platt_pair,
        temperature=temperature,
        ignore=ignore,
        replicates=replicates,
        seed=seed,
    )
    written = _write(result, predictions.name, out, figure, html, force=force)
    if as_json:
        print_json(result.to_dict())
        return
    heading = Table(title=f"{predictions}: {tables.about(result)}")
    print_tables([heading, *(tables.findings(result) if quiet else result.tables())])
    for path in written:
        print(f"written: {path}")


def _require_usage(
    logit: str | None, probability: str | None, fits: list[Any], ignore: tuple[str, ...]
) -> None:
    if logit is not None and probability is not None:
        raise UsageError("--logit and --probability exclude each other; give one")
    if sum(fit is not None for fit in fits) > 1:
        raise UsageError("--fitted, --platt and --temperature exclude each other; give one")
    for code in ignore:
        if code not in CODES:
            raise UsageError(
                f"--ignore: there is no finding {code!r}; there are {', '.join(CODES)}"
            )


def _require_outputs(
    inputs: list[Path | None],
    out: Path | None,
    figure: Path | None,
    html: Path | None,
    *,
    force: bool,
) -> None:
    if html is not None:
        report.require_format(html)
    require_apart(inputs, {"the result": out, "the figure": figure, "the page": html}, force=force)


def _write(
    result: Diagnosis,
    title: str,
    out: Path | None,
    figure: Path | None,
    html: Path | None,
    *,
    force: bool,
) -> list[Path]:
    """Writes all outputs or none, and returns their paths."""
    written = [path for path in (out, figure, html) if path is not None]
    with together(written, force=force) as partial:
        temporary = iter(partial)
        if out is not None:
            next(temporary).write_text(document(result.to_dict()) + "\n", encoding="utf-8")
        if figure is not None:
            figures.write(figures.diagnosis(result), next(temporary))
        if html is not None:
            report.write(result, next(temporary), title=title)
    return written
