"""Sketches: what they answer against the points themselves, and merging in any order."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep import InputError, Measure, Sample, Sketch
from sweep.base.grid import Grid, axis
from sweep.data.shards import ShardRows
from sweep.landscapes.direct import direct_cells
from sweep.measure.confusion import confusion
from sweep.measure.sketch import builder
from sweep.measure.sketch.builder import Sketcher, merged, rows_of
from sweep.measure.sketch.schema import MOST_CELLS, Schema
from sweep.metrics.metrics import METRICS, Counting

GRID = Grid(axis("-8:8:17"), axis("-5:5:11"))

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "integers": lambda rng, n: rng.integers(-5, 6, n).astype(float),
    "positive": lambda rng, n: rng.exponential(size=n),
    "offset": lambda rng, n: 40 + rng.normal(size=n),
    "outlier": lambda rng, n: np.append(rng.normal(size=n - 1), 1e6),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "constant": lambda rng, n: np.full(n, 0.25),
}
KINDS = ("hard", "soft", "weighted")


def sample(shape, kind="hard", n=900, seed=0):
    rng = np.random.default_rng([seed, n])
    x = SHAPES[shape](rng, n)
    eta = 1 / (1 + np.exp(-np.clip(2 * (x - np.median(x)), -30, 30)))
    y = (rng.random(n) < eta).astype(float)
    if kind == "soft":
        y = np.where(rng.random(n) < 0.5, y, eta)
    return Sample(x, y, rng.gamma(0.5, size=n) * 1e-3 if kind == "weighted" else None)


def terms_for(*samples, grid=GRID, **options):
    low, high = (f(float(f(s.x)) for s in samples) for f in (min, max))
    return Schema.of(grid, (low, high), **options)


def sketch(*samples, terms=None, first=0):
    maker = Sketcher(terms or terms_for(*samples))
    for number, one in enumerate(samples, first):
        maker.add(f"part {number}", rows_of([one]))
    return maker.sketch()


def parts_of(whole, cuts):
    """A sample in parts."""
    weight = whole.weight
    return [
        Sample(whole.x[p], whole.y[p], None if weight is None else weight[p])
        for p in np.split(np.arange(len(whole)), cuts)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_counts_on_its_own_grid_are_exact(shape, kind):
    whole = sample(shape, kind)
    of_sketch = Measure.from_sketch(sketch(*parts_of(whole, [100, 500])))
    found = confusion(of_sketch, GRID.a[:, None], GRID.b)
    z = GRID.a[:, None, None] * whole.x + GRID.b[:, None]
    mass = np.ones(len(whole)) if whole.weight is None else whole.weight
    truth = [
        np.sum(np.where(positive, share * mass, 0), axis=-1)
        for share in (whole.y, 1 - whole.y)
        for positive in (z > 0, z <= 0)
    ]
    for mine, exact in zip((found.tp, found.fn, found.fp, found.tn), truth, strict=True):
        if kind == "hard":
            assert mine.dtype == np.int64
            assert np.array_equal(mine, exact)
        else:
            total = max(np.max(exact), np.min(truth))
            assert np.max(np.abs(mine - exact)) <= 1e-12 * total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_metrics_keep_their_bound_wherever_they_are_promised(shape, kind):
    whole = sample(shape, kind)
    made = sketch(whole)
    intercept = min(made.terms.intercept, 1000.0)
    assert intercept >= 5
    a, b = np.array([-8.0, -0.3, 0.0, 1e-3, 5.0, 8.0]), np.linspace(-intercept, intercept, 7)
    metrics = ("cross_entropy", "weighted_cross_entropy(w0=1,w1=7)")
    found = sweep.landscape(made, a, b, metrics)
    a_cells, b_cells = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
    for name in metrics:
        metric = sweep.metrics.metrics.metric(name)
        truth = direct_cells(
            Measure.from_sample(whole), metric, a_cells, b_cells, "float64", 2**26
        ).reshape(len(a), len(b))
        error = np.abs(found[metric.name].values - truth) / np.maximum(1, truth)
        assert np.max(error) <= found[metric.name].error_bound <= 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_counting_metrics_lie_between_their_brackets(shape, kind):
    whole = sample(shape, kind)
    names = [name for name, metric in METRICS.items() if isinstance(metric, Counting)]
    a, b = "-7.7:7.1:9", "-30:31:23"
    found = sweep.landscape(sketch(whole), a, b, names)
    truth = sweep.landscape(whole, a, b, names)
    slack = 0 if kind == "hard" else 1e-12
    if "accuracy_lower" not in found:  # constant x: each cut is beyond all points
        assert shape == "constant"
        return
    for name in names:
        lower, exact, upper = (found[name + end].values for end in ("_lower", "", "_upper"))
        assert np.all(lower - slack <= truth[name])
        assert np.all(truth[name] <= upper + slack)
        assert np.array_equal(np.isnan(exact), lower != upper) or kind != "hard"
        known = ~np.isnan(exact)
        assert exact[known] == pytest.approx(truth[name].values[known], abs=slack)
    # No farther apart than what lies within a bin.
    if shape == "normal":
        assert float(np.max(found.accuracy_upper - found.accuracy_lower)) < 0.02


def test_the_cells_of_its_grid_give_what_a_sample_gives():
    whole = sample("normal")
    found, truth = (sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (sketch(whole), whole))
    assert (
        list(found.data_vars) == list(truth.data_vars) == ["cross_entropy", "accuracy", "correct"]
    )
    assert np.array_equal(found.correct, truth.correct)
    assert found.accuracy.error_bound == truth.accuracy.error_bound
    assert found.attrs["n"] == 900


@pytest.mark.parametrize("kind", KINDS)
def test_64_parts_merged_in_random_orders_and_trees_are_the_same_bits(kind):
    whole = sample("normal", kind, n=6400)
    rng = np.random.default_rng(1)
    parts = parts_of(whole, np.sort(rng.choice(np.arange(1, 6400), 63, replace=False)))
    terms = terms_for(whole)
    at_once = sketch(*parts, terms=terms)
    single = [sketch(part, terms=terms, first=k) for k, part in enumerate(parts)]
    assert merged(single).equals(at_once)
    for _ in range(5):
        left = [single[k] for k in rng.permutation(64)]
        while len(left) > 1:
            i, j = rng.choice(len(left), 2, replace=False)
            pair = left[i].merge(left[j])
            left = [one for k, one in enumerate(left) if k not in (i, j)] + [pair]
        assert left[0].equals(at_once)
    assert at_once.n == 6400
    by_parts, truth = (sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (at_once, whole))
    error = np.abs(by_parts.cross_entropy - truth.cross_entropy)
    assert float(np.max(error)) <= by_parts.error_bound + truth.error_bound
    assert np.array_equal(by_parts.accuracy, truth.accuracy) or kind != "hard"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("room", [64, 1000, 4000])
def test_a_part_is_the_same_whatever_was_read_before_it(monkeypatch, kind, room):
    monkeypatch.setattr(builder, "ROOM", room)
    monkeypatch.setattr(builder, "HEAVY", 50)
    monkeypatch.setattr(builder, "AT_ONCE", 40)
    parts = [sample("normal", kind, n, seed=n) for n in (30, 333, 1, 64, 200, 1000)]
    terms = terms_for(*parts)
    alone = [sketch(part, terms=terms, first=k) for k, part in enumerate(parts)]
    assert sketch(*parts, terms=terms).equals(merged(alone))
    assert sum(int(s.total(0)) if s.counted else s.total(0) for s in alone) == pytest.approx(
        float(merged(alone).total(0))
    )


def test_the_order_and_the_batches_of_rows_do_not_show():
    whole = sample("normal", n=3000)
    order = np.random.default_rng(0).permutation(3000)
    terms = terms_for(whole)
    maker = Sketcher(terms)
    maker.add("part 0", rows_of(parts_of(Sample(whole.x[order], whole.y[order]), [1, 17, 2000])))
    made, other = sketch(whole, terms=terms), maker.sketch()
    assert made.moments.equals(other.moments)
    assert made.inside.equals(other.inside)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.sampled_from(KINDS), st.randoms())
def test_merging_is_associative_and_commutative_and_has_a_neutral_element(sizes, kind, random):
    terms = Schema.of(Grid(axis("-2:2:3"), axis("-1:1:3")), (-50.0, 50.0))
    parts = [sample("normal", kind, n + 1, seed=k) for k, n in enumerate(sizes)]
    made = [sketch(part, terms=terms, first=k) for k, part in enumerate(parts)]
    whole = reduce(Sketch.merge, made, Sketch.empty(terms))
    random.shuffle(made)
    assert reduce(lambda right, left: left.merge(right), made).equals(whole)
    assert whole.merge(Sketch.empty(terms)).equals(whole)


def test_bounds_hold_what_small_weights_lose():
    whole = sample("normal")
    light, heavy = (
        sketch(Sample(whole.x, whole.y, np.full(len(whole), weight))) for weight in (2.0**-26, 1.0)
    )
    bounds = [
        sweep.landscape(made, GRID.a, GRID.b, "cross_entropy").attrs["error_bound"]
        for made in (light, heavy)
    ]
    lost = light.lost(8.0, 5.0)
    assert lost > 1e-12
    assert bounds[0] - bounds[1] == pytest.approx(lost, rel=1e-3)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grid": Grid(axis("-8:8:16"), axis("-5:5:11"))}, "their axes a differ"),
        ({"grid": Grid(axis("-8:8:17"), axis("-5:6:11"))}, "their axes b differ"),
        ({"tolerance": 1e-6}, "their tolerances are"),
        ({"metrics": ("brier",)}, "their metrics are"),
        ({"ends": (-100.0, 100.0)}, "their ranges of x are"),
    ],
)
def test_sketches_of_other_terms_do_not_merge(order, change, says):
    terms = {"grid": GRID, "ends": (-10.0, 10.0), "tolerance": 1e-9}
    pair = [
        sketch(sample("normal", seed=k), terms=Schema.of(**(terms | other)))
        for k, other in enumerate(({}, change))
    ]
    with pytest.raises(InputError, match=f"cannot be merged, for {says}"):
        pair[order[0]].merge(pair[order[1]])


def test_no_part_is_merged_twice_under_any_name():
    one, other = sample("normal", seed=1), sample("normal", seed=2)
    terms = terms_for(one, other)
    both = sketch(one, other, terms=terms)
    with pytest.raises(InputError, match=r"part 7 \(900 points\) is in both .* as part 1; merge"):
        both.merge(sketch(other, terms=terms, first=7))
    with pytest.raises(InputError, match="part 2 has the same rows as part 0"):
        sketch(one, other, one, terms=terms)


def test_what_it_cannot_answer_is_refused_with_what_it_can():
    made = sketch(sample("normal"))
    says = r"this sketch answers \|a\| <= 8 at a tolerance of 1e-09; asked for \|a\| <= 50"
    with pytest.raises(InputError, match=says):
        sweep.landscape(made, "-50:50:11")
    with pytest.raises(InputError, match=r"asked for \|a\| <= 8.*1e-12"):
        sweep.landscape(made, "-8:8:17", "-5:5:11", tolerance=1e-12)
    with pytest.raises(InputError, match="this sketch answers"):
        sweep.landscape(made, "-8:8:17", "-5:5:11", "focal(gamma=100)")
    for options in ({"method": "direct"}, {"dtype": "float32"}):
        with pytest.raises(InputError, match="a sketch has no points to sum over"):
            sweep.landscape(made, **options)
    with pytest.raises(InputError, match="counts exactly at the cuts of its own grid only"):
        confusion(Measure.from_sketch(made), np.array([1.234]), np.array([0.567]))


@pytest.mark.parametrize(
    ("ends", "says"),
    [((1.0, 0.0), "is 1 to 0"), ((0.0, np.inf), "is 0 to inf"), ((np.nan, 1.0), "is nan to 1")],
)
def test_a_range_is_two_numbers(ends, says):
    with pytest.raises(InputError, match=f"the range of x {says}"):
        Schema.of(GRID, ends)


def test_a_grid_with_too_many_cuts_is_refused():
    side = round(MOST_CELLS**0.5) + 1
    grid = Grid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    with pytest.raises(InputError, match="is too large for a sketch"):
        Schema.of(grid, (0.0, 1.0))


def test_a_row_outside_the_range_is_named():
    maker = Sketcher(Schema.of(GRID, (-1.0, 1.0)))
    x = np.zeros(5)
    batches = [ShardRows(x, x, None, 0), ShardRows(np.array([0, 0.5, 3.0]), np.zeros(3), None, 5)]
    with pytest.raises(InputError, match=r"^shard 37: 'u' in row 8 is 3\.0, outside the range"):
        maker.add("shard", batches, where="shard 37: 'u'")


def test_extremes_and_what_is_right_there_add_up():
    terms = Schema.of(GRID, (-2.0, 2.0))
    x, y = np.array([-1.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])
    made = sketch(Sample(x, y), Sample(x[2:], y[2:]), Sample(x[:1] / 2, y[:1]), terms=terms)
    zero, one = Measure.from_sketch(made).classes
    assert (zero.extremes, one.extremes) == ((-1.0, 1.0), (1.0, 1.0))
    assert (zero.mass_at(-1.0), zero.mass_at(1.0), one.mass_at(1.0)) == (1.0, 2.0, 2.0)


BATCHES = [sample("normal", seed=k) for k in range(3)]


@pytest.mark.parametrize("batches", [BATCHES, [(s.x, s.y) for s in BATCHES], iter(BATCHES)])
def test_a_measure_of_batches_answers_like_that_of_all(batches):
    given_range = (-9.0, 9.0) if iter(batches) is batches else None
    made = Measure.from_batches(batches, a="-8:8:17", b="-5:5:11", range=given_range)
    whole = Sample(*(np.concatenate([getattr(s, c) for s in BATCHES]) for c in "xy"))
    found, truth = (sweep.landscape(data, "-8:8:17", "-5:5:11") for data in (made, whole))
    assert np.array_equal(found.correct, truth.correct)
    assert np.max(np.abs(found.cross_entropy - truth.cross_entropy)) <= found.error_bound
    assert made.n == 2700


@pytest.mark.parametrize(
    ("batches", "says"),
    [
        (iter(BATCHES), "batches is an iterator, which cannot be gone through twice"),
        ([], "there are no batches with points"),
        ([BATCHES[0], (1.0, 2.0)], "batch 1: x has shape"),
        ([BATCHES[0], 5], "batch 1 is a int"),
        ([([0.0, np.nan], [0, 1])], r"batch 0: x\[1\] is nan"),
    ],
)
def test_batches_that_are_none_are_refused(batches, says):
    with pytest.raises(InputError, match=says):
        Measure.from_batches(batches)
