"""The page of a diagnosis as text: what it says, that nothing in it is code, and its size."""

import base64
import dataclasses
import hashlib
import json
import math
import re
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from sweep import report
from sweep.base.errors import InputError
from sweep.base.tables import Table, number, percent, rendered, text
from sweep.diagnosis.report import Estimate, Exact, JudgedFit
from sweep.report import payload
from sweep.report.document import anything
from tests.support.hard_predictions import HARD, MARKUP, NEVER, several
from tests.support.predicted import calibrated, diagnosed, finding, mean_loss, predictions

PLOTLY = get_plotlyjs()
FINDING_TAGS = {"ol", "li", "code", "details", "summary", "dl", "dt", "dd", "span", "strong"}


class Read(HTMLParser):
    """A page as a browser takes it: tags with attributes, texts, tables and scripts."""

    def __init__(self, text, whole=False):
        super().__init__()
        self.tags, self.texts, self.rows, self.scripts = [], [], [], []
        self.open = []
        self.feed(text if whole else text.replace(PLOTLY, ""))
        self.close()

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name in ("input", "meta", "link"):
            return
        self.open.append(name)
        if name == "tr":
            self.rows.append([])
        if name in ("th", "td"):
            self.rows[-1].append("")
        if name == "script":
            self.scripts.append("")

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            if self.open[-1] == "script":
                self.scripts[-1] += data
            return
        self.texts.append(data)
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def table(self):
        """The cells after the first of each row, by the first."""
        return {row[0]: row[1:] for row in self.rows if row}

    @property
    def values(self):
        return json.loads(self.scripts[0])


@cache
def with_intervals():
    z, y = calibrated(400, 1)
    return diagnosed(predictions(3 * z + 1, y), replicates=100)


def overconfident(**fields):
    return dataclasses.replace(with_intervals(), **fields)


# --- what it says -------------------------------------------------------------------------------


def test_the_tables_have_the_numbers_of_the_diagnosis():
    d = overconfident()
    table = Read(report.document(d, "x")).table
    best = d.recalibration
    for name, one, form in [
        ("cross-entropy (nats)", d.cross_entropy, number),
        ("accuracy", d.accuracy, percent),
        ("Brier score", d.brier, number),
        ("cross-entropy of the class shares (nats)", d.baselines.base_rate_entropy, number),
        ("calibration slope a*", best.slope, number),
        ("calibration intercept b*", best.intercept, number),
        ("in the worst 1%", d.concentration.worst_1_percent, percent),
        ("Gini coefficient of the losses", d.concentration.gini, number),
        ("gain over 0.5, on these data", d.threshold.gain, percent),
    ]:
        assert table[name][0] == form(one.value)
        if not one.invalid:
            assert table[name][1] == f"{form(one.low)} to {form(one.high)}"
    assert table["saved by both"][0] == number(best.by_both.value)
    assert table["saved by both"][2] == percent(best.by_both.value / d.cross_entropy.value)
    assert table["the rest: neither saves it"][0] == number(
        d.cross_entropy.value - best.by_both.value
    )
    assert table["1"][0] == f"{d.by_class[1].n:,}"
    for one in d.worst:
        assert table[str(one.row)][2:] == [
            number(one.probability),
            number(one.loss),
            percent(one.share),
        ]


def test_findings_come_first_with_severity_sentence_advice_and_numbers():
    made = (
        finding("overconfident", "critical", slope=0.31234, nothing=math.nan, where=[1, 2.5]),
        finding("imbalanced", "warning"),
        finding("too_few_samples", "info"),
    )
    d = overconfident(findings=made, ignored=("chance_level",))
    text = Read(report.document(d, "x")).text
    places = [
        text.index(word)
        for word in (
            "Critical overconfident",
            "Warning imbalanced",
            "Note too_few_samples",
            "Key numbers",
        )
    ]
    assert places == sorted(places)
    for one in made:
        assert one.sentence in text
        assert f"What to do: {one.advice}" in text.replace("  ", " ")
    assert "slope 0.3123 nothing \N{EN DASH} where 1, 2.5" in text
    assert "Left out on request: chance_level." in text
    assert "There are no findings." in Read(report.document(overconfident(findings=()), "x")).text


def test_a_judged_fit_and_exact_probabilities_are_told():
    fit = JudgedFit(0.5, 0.25, 0.6, 0.1, "platt", 0.3, 0.2, "off", "It is off the optimum.")
    d = overconfident(fit=fit, exact=Exact(3, 1, 2.2e-16, 0.25, 0.5))
    read = Read(report.document(d, "x"))
    assert "made elsewhere: off It is off the optimum." in read.text
    assert "Slope 0.5, intercept 0.25: cross-entropy 0.6 nats, 0.1 above the lowest in" in read.text
    assert "3 samples have a probability of exactly 0 or 1, of which 1 gave 0" in read.text
    assert "0 was taken for 2.2e-16, so these wrong ones have 25% of the loss" in read.text
    assert read.values["fit"] == {"a": 0.5, "b": 0.25}
    alone = dataclasses.replace(d, exact=Exact(1, 0, 1e-7, 0.0, math.nan))
    assert "there are no other samples" in Read(report.document(alone, "x")).text


@pytest.mark.parametrize("name", HARD)
def test_what_has_no_number_has_a_dash_and_a_reason(name):
    read = Read(report.document(diagnosed(HARD[name]), "x"))
    assert not re.search(NEVER, read.text)
    for row in read.rows:
        for cell in row[-1:]:
            assert not cell.startswith("\N{EN DASH}") or "(" in cell


@pytest.mark.parametrize(
    ("name", "sentence", "slope"),
    [
        ("separable", "completely separated by a cut", "\N{INFINITY}"),
        ("constant", "All logits are equal, so", "\N{EN DASH}"),
    ],
)
def test_without_an_optimum_there_are_words_and_no_marker(name, sentence, slope):
    read = Read(report.document(diagnosed(HARD[name]), "x"))
    assert sentence in read.text
    assert read.values["optimum"] is None
    assert "BLACK STAR" not in read.text
    value, interval = read.table["calibration slope a*"]
    assert value == slope
    mark = interval.removeprefix("\N{EN DASH} ")
    assert f"{mark} No interval: there is no finite optimum." in read.text


def test_the_intervals_of_best_thresholds_have_ends_that_differ():
    d = overconfident()
    near = (0.5, 0.5 + 1e-9)
    threshold = dataclasses.replace(
        d.threshold,
        probabilities=((*near, 1), (0.25, 0.5, -1)),
        logits=((0.0, 4e-9, 1), (-1.1, 0.0, -1)),
        constants=(0,),
    )
    text = Read(report.document(dataclasses.replace(d, threshold=threshold), "x")).text
    assert (
        "class 1 where the probability is at least t, for "
        f"{near[0]} < t \N{LESS-THAN OR EQUAL TO} {near[1]}"
    ) in text
    assert (
        "class 1 where the probability is at most t, for 0.25 \N{LESS-THAN OR EQUAL TO} t < 0.5"
        in text
    )
    assert "class 0 everywhere" in text


def test_several_classes_have_a_line_in_place_of_the_plane():
    d = diagnosed(several(classes=("a", "b", "c", "d")))
    read = Read(report.document(d, "x"))
    values = read.values
    assert "nodes" not in values
    assert "plane" not in values
    assert values["histogram"]["names"] == [f"class {name}" for name in "abcd"]
    for a, loss in list(zip(values["slope"]["a"], values["slope"]["cross_entropy"], strict=True))[
        ::20
    ]:
        assert loss == pytest.approx(mean_loss(d.predictions, a), rel=1e-6)
    for one in d.by_class:
        assert read.table[one.label][2] == number(one.cross_entropy.value, 3)
    assert "calibration intercept b*" not in read.table
    assert "Decision threshold" not in read.text


def test_many_classes_are_drawn_as_one():
    d = diagnosed(HARD["many classes"])
    histogram = Read(report.document(d, "x")).values["histogram"]
    assert histogram["names"] == ["all classes"]
    assert np.sum(histogram["counts"]) == d.n


# --- what it draws ------------------------------------------------------------------------------


def test_few_samples_travel_as_they_are():
    data = predictions(*calibrated(500, 5), weight=np.random.default_rng(1).random(500))
    nodes = Read(report.document(diagnosed(data), "x")).values["nodes"]
    order = np.argsort(data.logits, kind="stable")
    np.testing.assert_array_equal(nodes["z"], data.logits[order])
    np.testing.assert_array_equal(nodes["y"], data.y[order])
    np.testing.assert_array_equal(np.array(nodes["count"]) * nodes["weight"], data.weight[order])


def test_many_samples_are_summed_up_and_the_page_says_how_well():
    z, y = calibrated(60_000, 6)
    d = diagnosed(predictions(2 * z, y))
    read = Read(report.document(d, "x"))
    nodes = {key: np.array(column, float) for key, column in read.values["nodes"].items()}
    assert len(nodes["z"]) <= payload.MOST
    mass = nodes["count"] * nodes["weight"]
    assert mass.sum() == pytest.approx(d.n)
    assert mass @ nodes["y"] == pytest.approx(y.sum())
    said = re.search(
        r"cross-entropy is off by (\S+) of its value at most, and accuracy by (\S+)\. ",
        read.text + " ",
    )
    off = []
    for a, b in [(1.0, 0.0), (0.5, 0.3), (-0.4, 2.0), (1.4, -3.0)]:
        logit = a * nodes["z"] + b
        loss = np.logaddexp(0, np.where(nodes["y"] == 1, -logit, logit)) @ mass / d.n
        off.append(abs(loss / mean_loss(d.predictions, a, b) - 1))
    assert max(off) <= 5 * float(said[1]) <= 1e-3


def test_density_has_area_one_and_leaves_far_outliers_out():
    values = Read(report.document(diagnosed(HARD["outlier"]), "x")).values["density"]
    edges = np.array(values["edges"])
    assert edges[0] > -100
    assert values["beyond"] == 1
    z, y = HARD["outlier"].logits, HARD["outlier"].y
    for label in (0, 1):
        inside = np.mean(z[y == label] >= edges[0])
        area = np.array(values["heights"][label]) @ np.diff(edges)
        assert area == pytest.approx(inside, rel=1e-5)


def test_the_landscape_has_a_row_for_each_intercept():
    d = overconfident()
    plane = Read(report.document(d, "x")).values["plane"]
    for i, j in [(0, 0), (10, 90), (100, 40)]:
        a, b = plane["a"][i], plane["b"][j]
        assert plane["cross_entropy"][j][i] == pytest.approx(
            mean_loss(d.predictions, a, b), rel=1e-5
        )


# --- that nothing in it is code -----------------------------------------------------------------


def test_texts_from_files_stay_texts():
    z, y = calibrated(60, 7)
    names = (MARKUP, "<b>bold</b> & 'quoted' \"twice\"")
    d = diagnosed(
        predictions(z, y, classes=names), findings=(finding(MARKUP, "info", **{MARKUP: MARKUP}),)
    )
    read = Read(report.document(d, f"{MARKUP}<!-- values --><!--<script>"))
    assert len(read.scripts) == 3
    assert read.values["classes"] == list(names)
    assert read.texts.count(f"{MARKUP}<!-- values --><!--<script>") == 2
    assert names[1] in read.table
    assert MARKUP in read.text
    assert "<" not in read.scripts[0]
    plain = Read(report.document(dataclasses.replace(d, findings=(), classes=("0", "1")), "x"))
    assert {name for name, _ in read.tags} - {name for name, _ in plain.tags} <= FINDING_TAGS


def test_only_its_own_scripts_may_run_and_nothing_is_loaded():
    read = Read(report.document(overconfident(), "x"), whole=True)
    (policy,) = (a["content"] for n, a in read.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for script in read.scripts[1:]:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    for _, attributes in read.tags:
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    identities = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_cells_are_escaped_as_html_and_harmless_in_a_terminal():
    table = Table(
        title='<a "b">', columns=("<c>", "d"), rows=(("[b]<i>\x1b[1m", "1"),), notes=("&",)
    )
    html = rendered("base/tables.html.j2", tables=[table])
    read = Read(html)
    assert read.rows == [["<c>", "d"], ["[b]<i>\x1b[1m", "1"]]
    assert {"<i>", "<c>", '<a "b">'}.isdisjoint(html.split())
    assert text([table]).splitlines() == ['<a "b">', "  <c>         d", "  [b]<i>?[1m  1", "  &"]


def test_long_cells_fold_and_no_line_is_wider_than_the_terminal(monkeypatch):
    table = Table(rows=(("word " * 30, "x" * 100, "1.5"),), words=2, notes=("yes " * 50,))
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = text([table]).splitlines()
        assert max(map(len, lines)) <= width
        assert sum(line.count("x") for line in lines) == 100
        assert sum(line.count("yes") for line in lines) == 50


def test_paths_in_titles_and_notes_stay_whole():
    path = "/folder with-hyphens" * 6
    table = Table(title=f"{path}: 3 points", notes=(f"written: {path}",))
    long = "with-hyphens/folder"
    assert sum(line.count(long) for line in text([table]).splitlines()) == 10
    word = "/folder" * 20
    lines = text([Table(title=f"{word}: 3 points", notes=(word,))]).splitlines()
    assert lines == [f"{word}:", "3 points", f"  {word}"]


def test_numbers_are_short_and_what_is_none_is_a_dash():
    assert [number(v) for v in (0.0, 1234567.0, 1e-9, math.nan, math.inf, -math.inf)] == [
        "0", "1,234,567", "1e-09", "\N{EN DASH}", "\N{INFINITY}", "-\N{INFINITY}"
    ]  # fmt: skip
    assert percent(0.12345) == "12.35%"
    assert anything({"at": [1, 0.5], "by": None}) == "at: 1, 0.5; by: \N{EN DASH}"


def test_what_has_no_interval_has_the_mark_of_a_reason():
    reason = "too few bootstrap samples have a value"
    d = overconfident(brier=Estimate.without(1.0, reason), accuracy=Estimate.without(0.5, reason))
    read = Read(report.document(d, "x"))
    assert read.table["Brier score"] == ["1", "\N{EN DASH} (1)"]
    assert read.table["accuracy"] == ["50%", "\N{EN DASH} (1)"]
    assert read.text.count(f"(1) No interval: {reason}.") == 1


# --- the file -----------------------------------------------------------------------------------


def test_the_file_is_whole_or_not_there(tmp_path):
    d = overconfident()
    path = tmp_path / "page.html"
    report.write(d, path, title="One")
    first = path.read_text(encoding="utf-8")
    assert first == report.document(d, "One")
    with pytest.raises(InputError, match="exists already"):
        report.write(d, path, title="Two")
    assert path.read_text(encoding="utf-8") == first
    report.write(d, path, title="Two", force=True)
    assert "<title>Two</title>" in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"page\.txt: a page is written as \.html or \.htm"):
        report.write(d, tmp_path / "page.txt", title="x")
    with pytest.raises(InputError, match="there is no directory"):
        report.write(d, tmp_path / "no" / "page.html", title="x")
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_page_is_no_larger_for_more_samples(tmp_path):
    z, y = calibrated(200_000, 8)
    weight = np.random.default_rng(2).random(len(z))
    path = tmp_path / "page.html"
    report.write(diagnosed(predictions(z * math.pi, y, weight)), path, title="x")
    assert path.stat().st_size <= 6_000_000
