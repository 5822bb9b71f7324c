"""Places for the figures, with what moves (a, b): the script fills them."""

from __future__ import annotations

import math

from sweep.diagnosis.curves import optimal
from sweep.diagnosis.report import Diagnosis
from sweep.report.page.markup import Html, number, tag, together


def landscape(diagnosis: Diagnosis, exact: str) -> Html:
    """The landscape with its controls, and what is seen at (a, b); for several classes a line.

    Args:
        diagnosis: of which classifier.
        exact: how exact the numbers at a chosen (a, b) are, a sentence.
    """
    if diagnosis.threshold is None:
        return _line()
    explained = (
        "Every point is a recalibration sigmoid(a z + b) of the logits z: the classifier as it "
        "is lies at (1, 0). Click or drag on a landscape, or use the controls, to see what "
        "another slope a and intercept b would do."
    )
    return together(
        tag("p", explained),
        _controls(diagnosis),
        _pair(
            place("cross_entropy", "Cross-entropy", "landscape over slope a and intercept b"),
            place("accuracy", "Accuracy", "landscape over slope a and intercept b"),
        ),
        tag("p", _legend(diagnosis), class_="faint"),
        tag("p", exact, class_="faint"),
        tag("h3", "What the recalibration at (a, b) does"),
        place("curve", "Predicted probability against the logit", "and where the classes lie"),
        _pair(
            place("losses", "Losses of the samples", "how many have which loss, by class"),
            place("reliability", "Reliability", "what came true against what was predicted"),
        ),
    )


def _line() -> Html:
    """The figures of several classes."""
    return together(
        tag("p", "The recalibration softmax(a z): the classifier as it is has a = 1."),
        place("slope", "Cross-entropy and accuracy", "against the slope a"),
        _pair(
            place("losses", "Losses of the samples", "how many have which loss, by class"),
            place("reliability", "Reliability", "what came true against what was predicted"),
        ),
    )


def _pair(first: Html, second: Html) -> Html:
    return tag("div", first, second, class_="pair")


def lorenz() -> Html:
    """The Lorenz curve of the loss."""
    return place("lorenz", "Share of the loss", "against the share of samples, smallest loss first")


def place(name: str, title: str, more: str) -> Html:
    """Where the script draws a figure.

    Args:
        name: of the figure, as in the script.
        title: what it shows.
        more: the rest of that, for those who cannot see it.
    """
    shown = f"{title}: {more}"
    return tag(
        "figure",
        tag("p", title, class_="title"),
        tag("div", id=f"figure-{name}", class_="plot", role="img", aria_label=shown),
        tag("figcaption", id=f"caption-{name}"),
    )


def _legend(diagnosis: Diagnosis) -> str:
    marks = ["\N{BLACK DIAMOND} as it is (1, 0)"]
    if math.isfinite(optimal(diagnosis)[0]):
        marks.append("\N{BLACK STAR} least cross-entropy (a*, b*)")
    if diagnosis.fit is not None:
        marks.append("\N{BLACK SQUARE} the fit that was to be judged")
    marks += ["\N{WHITE CIRCLE} the chosen (a, b)", "dotted: edges of the highest accuracy"]
    return "On both landscapes: " + "; ".join(marks) + "."


def _controls(diagnosis: Diagnosis) -> Html:
    buttons = tag(
        "div",
        tag("button", "as it is (1, 0)", type="button", id="as-it-is"),
        _to_optimum(diagnosis),
        class_="buttons",
    )
    inputs = (_control("a", "slope a", "1"), _control("b", "intercept b", "0"))
    seen = tag("p", "", id="seen", aria_live="polite", aria_atomic="true")
    return tag("form", *inputs, buttons, seen, id="controls", class_="controls")


def _to_optimum(diagnosis: Diagnosis) -> Html:
    a, b = optimal(diagnosis)
    if not math.isfinite(a):
        words = "no single finite optimum"
        return tag("button", words, type="button", id="optimum", disabled="disabled")
    words = f"optimum (a*, b*) = ({number(a)}, {number(b)})"
    return tag("button", words, type="button", id="optimum")


def _control(name: str, label: str, value: str) -> Html:
    """A number and a slider for one coordinate."""
    numbers = Html(f'<input type="number" step="any" id="{name}" value="{value}">')
    slider = Html(
        f'<input type="range" step="any" id="{name}-slider" value="{value}" '
        f'aria-label="{label}, slider">'
    )
    return tag("div", tag("label", label, for_=name), numbers, slider, class_="control")
