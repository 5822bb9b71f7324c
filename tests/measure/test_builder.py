"""Sketchers: the order, the batches and the parts read before do not matter."""

from functools import reduce

import numpy as np
import pytest

from sweep import InputError, Sample, Sketch
from sweep.data.shards import ShardRows
from sweep.measure.sketch import builder
from sweep.measure.sketch.builder import Sketcher, rows_of
from sweep.measure.sketch.schema import Schema
from tests.support.sketches import GRID, KINDS, sample, schema_for, sketch_of, split_at


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("room", [64, 1000, 4000])
def test_a_part_is_the_same_whatever_was_read_before_it(monkeypatch, kind, room):
    monkeypatch.setattr(builder, "MOST_COUNTED", room)
    monkeypatch.setattr(builder, "MOST_WEIGHTED", 50)
    monkeypatch.setattr(builder, "MOST_ROWS", 40)
    parts = [sample("normal", kind, n, seed=n) for n in (30, 333, 1, 64, 200, 1000)]
    schema = schema_for(*parts)
    single = [sketch_of(part, schema=schema, first=k) for k, part in enumerate(parts)]
    assert sketch_of(*parts, schema=schema).equals(reduce(Sketch.merge, single))
    assert sum(int(s.total(0)) if s.counted else s.total(0) for s in single) == pytest.approx(
        float(reduce(Sketch.merge, single).total(0))
    )


def test_the_order_and_the_batches_of_rows_do_not_show():
    whole = sample("normal", n=3000)
    order = np.random.default_rng(0).permutation(3000)
    schema = schema_for(whole)
    sketcher = Sketcher(schema)
    sketcher.add("part 0", rows_of(split_at(Sample(whole.x[order], whole.y[order]), [1, 17, 2000])))
    sketch, other = sketch_of(whole, schema=schema), sketcher.sketch()
    assert sketch.moments.equals(other.moments)
    assert sketch.inside.equals(other.inside)


def test_a_row_outside_the_range_is_named():
    sketcher = Sketcher(Schema.of(GRID, (-1.0, 1.0)))
    x = np.zeros(5)
    batches = [ShardRows(x, x, None, 0), ShardRows(np.array([0, 0.5, 3.0]), np.zeros(3), None, 5)]
    with pytest.raises(InputError, match=r"^shard 37: 'u' in row 8 is 3\.0, outside the range"):
        sketcher.add("shard", batches, where="shard 37: 'u'")
