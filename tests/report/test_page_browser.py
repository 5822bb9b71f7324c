"""The page of a diagnosis in a browser: what is seen, and what it answers."""

import re
import shutil
from functools import cache

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from sweep import report
from sweep.diagnosis import curves
from tests.support.hard_predictions import HARD, MARKUP, NEVER
from tests.support.predicted import calibrated, diagnosed, finding, mean_loss, predictions

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to show pages in")

Z, Y = calibrated(400, 1)
FINDINGS = (finding("overconfident", "critical", slope=0.3), finding("imbalanced", "warning"))
DATA = HARD | {
    "plain": predictions(3 * Z + 1, Y),
    "markup": predictions(3 * Z, Y, classes=(MARKUP, "<img src=x onerror=alert(1)>")),
}


@cache
def diagnosis_of(name):
    marked = (finding(MARKUP, "info", **{MARKUP: MARKUP}),)
    return diagnosed(DATA[name], findings=marked if name == "markup" else FINDINGS)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Paths of pages, each written once."""
    folder, paths = tmp_path_factory.mktemp("pages"), {}

    def path(name):
        if name not in paths:
            paths[name] = folder / f"{len(paths)}.html"
            report.write(
                diagnosis_of(name), paths[name], title=MARKUP if name == "markup" else name
            )
        return paths[name]

    return path


@pytest.fixture
def show(browser, written):
    """Opens the page of a name; in the end nothing may have gone wrong or been asked for."""
    contexts, wrong = [], []

    def opened(name="plain", width=1100, **looks):
        context = browser.new_context(viewport={"width": width, "height": 900}, **looks)
        contexts.append(context)
        tab, url = context.new_page(), written(name).as_uri()
        tab.on("console", lambda said: wrong.append(said.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda asked: asked.url == url or wrong.append(asked.url))
        tab.goto(url)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert [one for one in wrong if not one.startswith(("data:", "blob:"))] == []


def chosen(tab):
    """(a, b) in the controls, and the loss and the accuracy in percent that are said of it."""
    frame(tab)
    a, b = (float(tab.input_value(f"#{name}")) for name in "ab")
    return a, b, tab.inner_text("#loss"), tab.inner_text("#correct")


def frame(tab):
    """Waits until what has changed is drawn."""
    tab.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )


def exact(name, a, b):
    """What a page says of (a, b)."""
    data = DATA[name]
    right = np.average((a * data.logits + b > 0) == (data.y == 1), weights=data.weight)
    return f"{mean_loss(data, a, b):.6g}", f"{100 * right:.6g}%"


def same(said, meant):
    """Texts that have the same numbers, but for how their exponents are written."""
    return all(
        float(one.strip("%")) == float(two.strip("%")) for one, two in zip(said, meant, strict=True)
    )


def drawn(tab, name):
    """The data of a figure as Plotly has them."""
    return tab.evaluate(f"document.getElementById('figure-{name}').data")


@pytest.mark.parametrize("name", [name for name in DATA if name != "sign flipped"])
def test_a_page_shows_without_errors_or_a_network(show, name):
    tab, diagnosis = show(name), diagnosis_of(name)
    figures = tab.locator(".plot")
    expected = 6 if diagnosis.predictions.binary else 4
    assert figures.count() == expected
    for k in range(expected):
        assert figures.nth(k).locator("svg.main-svg").count() > 0
    text = tab.inner_text("body")
    assert not re.search(NEVER, text)
    for one in diagnosis.findings:
        assert one.sentence in text
    if diagnosis.predictions.binary:
        require_exact(tab, name)


def require_exact(tab, name):
    """What is said of the classifier, and of another place, is exact."""
    a, b, *said = chosen(tab)
    assert (a, b) == (1, 0)
    assert same(said, exact(name, 1, 0))
    tab.fill("#a", "-0.37")
    tab.fill("#b", "1.25")
    a, b, *said = chosen(tab)
    assert (a, b) == (-0.37, 1.25)
    assert same(said, exact(name, a, b))


def along(points, share):
    """A place on an axis that ends half a cell beyond its first and last point."""
    half = (points[1] - points[0]) / 2
    return points[0] - half + share * (points[-1] - points[0] + 2 * half)


@pytest.mark.parametrize("figure", ["cross_entropy", "accuracy"])
def test_a_click_and_a_drag_choose_the_place(show, figure):
    tab = show()
    area = tab.locator(f"#figure-{figure} .nsewdrag").first
    area.scroll_into_view_if_needed()
    box, plane = area.bounding_box(), curves.plane(diagnosis_of("plain"))

    def place(across, up):
        return along(plane.a.values, across), along(plane.b.values, up)

    def at(across, up):
        return box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"]

    tab.mouse.click(*at(0.3, 0.8))
    a, b, *said = chosen(tab)
    np.testing.assert_allclose([a, b], place(0.3, 0.8), atol=0.03)
    assert same(said, exact("plain", a, b))
    tab.mouse.move(*at(0.5, 0.5))
    assert chosen(tab)[:2] == (a, b)
    tab.mouse.down()
    tab.mouse.move(*at(0.6, 0.4))
    tab.mouse.move(*at(0.8, 0.25))
    tab.mouse.up()
    tab.mouse.move(*at(0.1, 0.1))
    a, b, *said = chosen(tab)
    np.testing.assert_allclose([a, b], place(0.8, 0.25), atol=0.03)
    assert same(said, exact("plain", a, b))
    (ring,) = [one for one in drawn(tab, figure) if one.get("name") == "chosen (a, b)"]
    assert (ring["x"], ring["y"]) == ([a], [b])


def test_everything_is_within_reach_of_the_keyboard(show):
    tab = show()
    best = diagnosis_of("plain").optimum.cross_entropy
    reached = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "theme":
            tab.keyboard.press("Space")
            assert tab.get_attribute("html", "data-theme") == "dark"
        if reached[-1] == "SUMMARY":
            tab.keyboard.press("Enter")
            assert tab.locator("details").first.get_attribute("open") is not None
        if reached[-1] == "a":
            tab.keyboard.type("0.5")
            assert chosen(tab)[:2] == (0.5, 0.0)
        if reached[-1] == "b-slider":
            tab.keyboard.press("ArrowRight")
            a, b, *said = chosen(tab)
            assert a == 0.5
            assert b > 0
            assert same(said, exact("plain", a, b))
        if reached[-1] == "optimum":
            tab.keyboard.press("Enter")
            a, b, *said = chosen(tab)
            assert (a, b) == (best.a, best.b)
            assert same(said, exact("plain", a, b))
            break
    order = ["theme", "SUMMARY", "a", "a-slider", "b", "b-slider", "as-it-is", "optimum"]
    places = [reached.index(one) for one in order]
    assert places == sorted(places)
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Enter")
    assert chosen(tab)[:2] == (1, 0)


def test_controls_have_names_and_take_numbers_only(show):
    tab = show()
    before = chosen(tab)
    tab.fill("#a", "")
    frame(tab)
    assert (tab.inner_text("#loss"), tab.inner_text("#correct")) == before[2:]
    for name in ("slope a", "intercept b", "slope a, slider", "intercept b, slider"):
        assert tab.get_by_label(name, exact=True).count() == 1
    assert tab.get_attribute("#seen", "aria-live") == "polite"
    for figure in tab.locator(".plot").all():
        assert figure.get_attribute("aria-label")


def test_numbers_too_large_for_an_axis_are_no_errors(show):
    tab = show()
    tab.fill("#a", "1e308")
    expect(tab.locator("#loss")).to_have_text("\u221e")
    tab.click("#as-it-is")
    expect(tab.locator("#loss")).not_to_have_text("\u221e")


def test_without_an_optimum_there_is_nothing_to_go_to(show):
    tab = show("separable")
    assert tab.is_disabled("#optimum")
    assert tab.inner_text("#optimum") == "no single finite optimum"
    assert "least cross-entropy" not in [one.get("name") for one in drawn(tab, "cross_entropy")]
    assert "above its limit" in tab.inner_text("#seen")


def test_reliability_is_that_of_the_diagnosis(show):
    tab = show("weighted")
    for a, b in [(1, 0), (0.4, -0.3), (-0.5, 1), (0, 0.5)]:
        tab.fill("#a", str(a))
        tab.fill("#b", str(b))
        frame(tab)
        expected = curves.reliability(diagnosis_of("weighted"), float(a), float(b))
        bins = drawn(tab, "reliability")[1]
        for key, name in (("x", "predicted"), ("y", "observed"), ("customdata", "count")):
            np.testing.assert_allclose(bins[key], getattr(expected, name), rtol=1e-9)
        ends = np.array(bins["y"]) - bins["error_y"]["arrayminus"]
        np.testing.assert_allclose(ends, expected.low, atol=1e-9)
        ends = np.array(bins["y"]) + bins["error_y"]["array"]
        np.testing.assert_allclose(ends, expected.high, atol=1e-9)


def test_the_histogram_counts_every_sample_by_its_loss(show):
    tab = show()
    expected = curves.loss_histogram(diagnosis_of("plain"))
    for label, trace in enumerate(drawn(tab, "losses")):
        assert trace["customdata"][:-1] == expected.counts[label].tolist()
        np.testing.assert_allclose(trace["x"], expected.edges)


def test_dark_follows_the_system_until_asked(show):
    def paper(tab):
        return tab.evaluate("getComputedStyle(document.body).backgroundColor")

    dark, light = show(color_scheme="dark"), show(color_scheme="light")
    assert (paper(dark), paper(light)) == ("rgb(22, 24, 28)", "rgb(255, 255, 255)")
    fonts = [
        tab.evaluate("document.getElementById('figure-lorenz').layout.font.color")
        for tab in (dark, light)
    ]
    assert fonts == ["#ececec", "#1a1a1a"]
    dark.click("#theme")
    light.click("#theme")
    assert (paper(light), paper(dark)) == ("rgb(22, 24, 28)", "rgb(255, 255, 255)")
    assert light.get_attribute("#theme", "aria-pressed") == "true"


@pytest.mark.parametrize("name", ["plain", "several"])
def test_paper_is_light_without_controls_and_cuts_no_figure(show, name):
    tab = show(name, width=690, color_scheme="dark")
    tab.emulate_media(media="print")
    assert tab.get_attribute("html", "data-theme") == "light"
    assert tab.locator("#theme").is_hidden()
    assert tab.locator("#controls:visible").count() == 0
    for plot in tab.locator(".plot").all():
        box, image = plot.bounding_box(), plot.locator("svg.main-svg").first.bounding_box()
        assert image["x"] + image["width"] <= 690
        assert image["height"] <= box["height"] + 1
    assert tab.evaluate("document.documentElement.scrollWidth") <= 690
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.emulate_media(media="screen")
    assert tab.get_attribute("html", "data-theme") == "dark"


@pytest.mark.parametrize("name", ["plain", "several", "markup"])
def test_a_narrow_screen_shows_everything(show, name):
    tab = show(name, width=390)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    for plot in tab.locator("svg.main-svg").all():
        assert plot.bounding_box()["width"] <= 390
