"""The numbers of tasks: together the tasks write every chunk once, and `status` counts the same."""

import math
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep.runs.kind import numbering
from sweep.runs.landscapes import Landscapes
from sweep.runs.networks import Networks
from sweep.training.problems import problem


def _require_numbering_of_text(spec, work):
    """The numbering of the canonical text, which `status` reads, is that of the work."""
    numbers = numbering(tomllib.loads(spec.to_toml()))
    assert numbers.count() == work.numbers.count()
    for task in range(work.numbers.count()):
        assert {numbers.copies(task)} == {len(chunks) for chunks in work.chunks(task).values()}


@given(
    st.integers(1, 3),
    st.sets(st.sampled_from([10, 20, 30, math.inf]), min_size=1),
    st.integers(1, 3),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)),
)
def test_tasks_of_landscapes_write_every_chunk_once(laws, sizes, seeds, grid):
    rows, columns, side = grid
    spec = sweep.Spec(
        population=["W1", "D1", "D2"][:laws],
        n=sorted(sizes),
        seed=list(range(seeds)),
        a=[float(k) for k in range(rows)],
        b=[float(k) for k in range(columns)],
        tile=side,
    )
    work = Landscapes(spec)
    tasks = range(work.numbers.count())
    chunks = [indices for task in tasks for indices in work.chunks(task)["accuracy"]]
    shape = (laws, len(sizes), seeds, *spec.tiles)
    assert len(set(chunks)) == len(chunks) == math.prod(shape)
    assert all(0 <= k < most for chunk in chunks for k, most in zip(chunk, shape, strict=True))
    tiles = (work.slices(work.numbers.locate(task)) for task in tasks)
    cells = sum(math.prod(len(range(*side.indices(10))) for side in tile) for tile in tiles)
    samples = laws * (len(sizes) * seeds - (math.inf in sizes) * (seeds - 1))
    assert cells == samples * rows * columns
    _require_numbering_of_text(spec, work)


def test_a_file_is_one_landscape():
    spec = sweep.Spec(data=["a.csv", "b.csv", "c.csv"], a="0:1:3", b="0:1:2", tile=2)
    work = Landscapes(spec)
    assert [work.numbers.locate(k).source for k in range(work.numbers.count())] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert work.describe(3) == {"data": "b.csv", "tile": "1,0"}
    _require_numbering_of_text(spec, work)


@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 4),
    st.dictionaries(
        st.sampled_from(["widths", "l1", "batch", "resample", "activation"]), st.integers(1, 3)
    ),
)
@settings(max_examples=30)
def test_tasks_of_networks_write_every_chunk_once(sources, seeds, block, lists):
    others = {"resample": [True, False], "activation": ["relu", "tanh"]}
    axes = {
        name: others.get(name, list(range(1, 1 + count)))[:count] for name, count in lists.items()
    }
    spec = sweep.Spec(
        data=[f"{k}.csv" for k in range(sources)],
        seed=list(range(seeds)),
        training={"block": block, "epochs": 1} | axes,
    )
    work = Networks(spec, spec.training)
    work.__dict__["_splits"] = (problem("outlier").draw(0),) * sources
    for name, variable in work.variables().items():
        tasks = [work.chunks(task) for task in range(work.numbers.count())]
        chunks = [indices for task in tasks for indices in task.get(name, ())]
        counts = [-(-n // c) for n, c in zip(variable.shape, variable.chunks, strict=True)]
        assert len(chunks) == len(set(chunks)) == math.prod(counts)
        assert all(k < most for chunk in chunks for k, most in zip(chunk, counts, strict=True))
    _require_numbering_of_text(spec, work)
