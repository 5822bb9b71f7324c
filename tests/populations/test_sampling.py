from functools import cache

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

import sweep
from sweep.populations import CATALOGUE, Normal, Population, Uniform, sampling

LAWS = list(CATALOGUE)


@cache
def drawn(law):
    """A sample of two chunks, the second of which has points beyond n."""
    return sampling.sample(CATALOGUE[law], 20_000, seed=3)


@pytest.mark.parametrize("law", LAWS)
def test_x_has_its_law_and_comes_in_order(law):
    sample = drawn(law)
    assert np.all(np.diff(sample.x) >= 0)
    low, high = CATALOGUE[law].support
    assert low <= sample.x[0]
    assert sample.x[-1] <= high
    assert kstest(sample.x, CATALOGUE[law].x.cdf).pvalue > 1e-3


@pytest.mark.parametrize("law", LAWS)
def test_labels_have_their_probability(law):
    sample = drawn(law)
    probability = CATALOGUE[law].probability(sample.x)
    for weight in (np.ones(20000), np.sign(sample.x - np.median(sample.x))):
        excess = np.sum(weight * (sample.y - probability))
        assert abs(excess) < 4 * np.sqrt(np.sum(probability * (1 - probability)))


@pytest.mark.parametrize("n", [1, 100, 20_000])
def test_a_sample_is_the_same_bits_whatever_else_is_drawn(n):
    law, layout = CATALOGUE["W4"], sampling.SampleLayout.of(n)
    every = layout.samples_per_call
    with jax.enable_x64(True):
        first, later = (sampling.draw(law, layout, 5, start) for start in (0, every))
    for row, draws, replicate in ((0, first, 0), (every - 1, first, every - 1), (0, later, every)):
        alone = sampling.sample(law, n, seed=5, replicate=replicate)
        assert len(alone) == n
        np.testing.assert_array_equal(alone.x, layout.row(draws.x, row))
        np.testing.assert_array_equal(alone.y, layout.row(draws.y, row))


@given(st.integers(1, 2 * 10**6))
def test_a_layout_holds_every_point_and_little_more(n):
    layout = sampling.SampleLayout.of(n)
    room = layout.chunks * layout.length
    assert n <= room < n + sampling.GROUP * layout.chunks
    assert layout.samples * layout.length <= sampling.CHUNK
    assert (layout.chunks - 1) * layout.length < n
    assert layout.samples_per_call == layout.batches * layout.samples


def test_other_seeds_sizes_and_replicates_have_other_streams():
    law = CATALOGUE["W1"]
    samples = {
        key: sampling.sample(law, n, seed, replicate)
        for n in (100, 20_000)
        for seed in (0, 1, 2**40)
        for replicate in (0, 1, 2000)
        for key in [(n, seed, replicate)]
    }
    assert len({sample.x[:3].tobytes() for sample in samples.values()}) == len(samples)
    assert len({sample.y[:50].tobytes() for sample in samples.values()}) == len(samples)


def test_settings_of_the_process_change_no_sample():
    law = CATALOGUE["W1"]
    before = sampling.sample(law, 100)
    with jax.threefry_partitionable(False), jax.default_prng_impl("rbg"):
        after = sampling.sample(law, 100)
    np.testing.assert_array_equal(before.x, after.x)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 255, 256, 257, 5000])
def test_partial_sums(n):
    terms = np.random.default_rng(0).exponential(size=(3, n))
    with jax.enable_x64(True):
        sums = sampling.cumulative(jax.numpy.asarray(terms))
    np.testing.assert_allclose(sums, np.cumsum(terms, axis=1), rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": 0.0}, r"n is 0\.0; a whole number from 1"),
        ({"n": 2.5}, r"n is 2\.5"),
        ({"n": 2.0**31}, r"n is 2147483648\.0"),
        ({"n": 5.0, "seed": -1}, "seed is -1"),
        ({"n": 5.0, "replicate": -1}, "replicate is -1"),
    ],
)
def test_bad_sizes_and_seeds_are_rejected(arguments, said):
    with pytest.raises(sweep.InputError, match=said):
        sampling.sample(CATALOGUE["W1"], **arguments)


def test_an_eta_above_1_is_rejected_when_a_sample_meets_it():
    # Too narrow for a look at some thousands of quantiles.
    def spike(x):
        return jax.numpy.where(abs(x - 0.12345678) < 1.5e-4, 1.1, 0.5)

    law = Population("spike", x=Uniform(-1, 1), eta=spike)
    law.require_valid()
    # Three of these points are expected in it.
    with pytest.raises(sweep.InputError, match=r"eta of spike is 1\.1 at x = 0\.123"):
        sampling.sample(law, 20_000)


def test_a_law_of_your_own_can_be_sampled():
    law = Population("mine", x=Normal(3, 2), eta=lambda x: 1 / (1 + jax.numpy.exp(-x)))
    assert abs(np.mean(sampling.sample(law, 10**4).x) - 3) < 0.1
