"""Models, metrics and data of a user are checked, and refused in one sentence."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sweep
from sweep import InputError, Slice
from tests.support.own_models import LINE, columns, linear, margin, network


class _Unhashable(dict):
    def __call__(self, params, x):
        return x


BAD_SLICES = {
    "no plain function": (
        (_Unhashable(), 0.0, (1.0, 1.0)),
        "logit is a _Unhashable; a function is needed, such as lambda",
    ),
    "one direction": ((linear, 0.0, (1.0,)), "directions must be a tuple of two trees"),
    "another structure": (
        (linear, {"w": 0.0}, ({"w": 1.0}, {"v": 1.0})),
        r"directions\[1\] is not a tree of the same structure as the origin",
    ),
    "another shape": (
        (linear, {"w": np.ones((2, 3))}, ({"w": np.ones((2, 3))}, {"w": np.ones(3)})),
        r"directions\[1\]\['w'\] has shape \(3,\), but origin\['w'\] has \(2, 3\); make it by jax",
    ),
    "integers": (
        (linear, [np.ones(2), np.arange(3)], ([1.0, 1.0], [1.0, 1.0])),
        r"origin\[1\] has dtype int64; parameters must be floats",
    ),
    "a random key": ((linear, jax.random.key(0), (1.0, 1.0)), "origin has dtype key<fry>"),
    "words": ((linear, "w", ("v", "u")), "origin has dtype <U1"),
    "nan": (
        (linear, 0.0, (1.0, np.array(np.nan))),
        r"directions\[1\] holds nan, which is not finite",
    ),
    "nothing": ((linear, {}, ({}, {})), "origin has no parameters"),
}


@pytest.mark.parametrize("name", BAD_SLICES)
def test_bad_slices_are_refused_in_one_sentence(name):
    arguments, sentence = BAD_SLICES[name]
    with pytest.raises(InputError, match=sentence):
        Slice(*arguments)


X, Y = columns(4)


def _broken(x):
    return np.where(np.arange(x.size).reshape(x.shape) == 7, np.nan, x)


BAD_DATA = {
    "nan": ((_broken(X), Y), r"x\[2\]\[1\] is nan, which is not a finite number"),
    "labels": ((X, [0, 1, 2, 0]), r"y\[2\] is 2, which is outside \[0, 1\]"),
    "weights": ((X, Y, [1, 1, 1, -1]), r"weight\[3\] is -1, which is negative"),
    "no weights": ((X, Y, np.zeros(4)), "every weight is 0"),
    "lengths": ((X, Y[:3]), "x has 4 values but y has 3"),
    "two-dimensional labels": ((X, X), r"y has shape \(4, 3\); a one-dimensional"),
    "a number": ((1.0, Y), r"x is 1.0; an array of shape \(n, ...\) is needed"),
    "ragged": (([[1.0], [1.0, 2.0]], [0, 1]), r"x is ragged; an array of shape \(n, ...\)"),
    "words": (([["a"]], [0]), "x has dtype <U1; real numbers are needed"),
    "masked": ((np.ma.masked_equal(X, X[0, 0]), Y), "x has masked values"),
    "no samples": ((X[:0], Y[:0]), "no points"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused_in_one_sentence(name):
    data, sentence = BAD_DATA[name]
    with pytest.raises(InputError, match=sentence):
        sweep.landscape(data, 0.0, 0.0, model=network())


@pytest.mark.parametrize("options", [{"model": LINE}, {"metrics": margin}])
def test_a_measure_has_no_samples_and_is_refused_with_the_remedy(options):
    measure = sweep.Measure.from_sample(sweep.data.illustration(1))
    with pytest.raises(TypeError, match=r"data is a Measure; .* give \(X, y\)"):
        sweep.landscape(measure, 0.0, 0.0, **options)


def _fails(params, x):
    raise KeyError("bias")


BAD_LOGITS = {
    "for a batch": (
        lambda p, x: (x @ p)[:, None],
        r"logit\(params, x\) of one sample x of shape \(3,\) raises .*; if it takes a batch, give "
        r"lambda params, x: logit\(params, x\[None\]\)\[0\]",
    ),
    "a vector": (lambda p, x: p * x, r"returns shape \(3,\), not a scalar; if it takes a batch"),
    "a pair": (lambda p, x: (p @ x, 1), "returns a tuple, not a scalar"),
    "nothing": (lambda p, x: None, "returns a NoneType, not a scalar"),
    "a class": (lambda p, x: p @ x > 0, "returns bool, not a real number"),
    "failing": (_fails, "raises KeyError: 'bias'"),
}


@pytest.mark.parametrize("name", BAD_LOGITS)
def test_bad_logits_are_refused_in_one_sentence(name):
    logit, sentence = BAD_LOGITS[name]
    model = Slice(logit, np.ones(3), (np.ones(3), np.ones(3)))
    with pytest.raises(InputError, match=sentence):
        sweep.landscape((X, Y), 0.0, 0.0, model=model)


def _vector(z, y):
    return jnp.stack([z, y])


def correct(z, y):
    return z


BAD_OPTIONS = {
    "metric of a vector": ({"metrics": _vector}, r"_vector\(z, y\) .* returns shape \(2,\)"),
    "metric without a name": ({"metrics": lambda z, y: z}, "the metric <lambda> has no name"),
    "metric with a taken name": ({"metrics": correct}, "cannot be called 'correct'"),
    "metric of no name": ({"metrics": [margin, partial(margin)]}, "no name to label its values"),
    "metric without a hash": ({"metrics": [_Unhashable()]}, "has no name to label its values"),
    "unknown metric": ({"metrics": "f0"}, "no metric 'f0'"),
    "unknown method": ({"method": "magic"}, "no method 'magic'"),
    "no memory": ({"memory_budget": 1000}, "memory budget is 1000 bytes"),
    "1e9 cells": ({"a": "0:1:31623", "b": "0:1:31623"}, "would take 22.4 GiB"),
    "a slope beyond float32": ({"a": 1e39, "dtype": "float32"}, "a holds a number beyond the ra"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_requests_are_refused_in_one_sentence(name):
    options, sentence = BAD_OPTIONS[name]
    with pytest.raises(InputError, match=sentence):
        sweep.landscape((X, Y), **({"a": 0.0, "b": 0.0} | options), model=network())


def test_two_metrics_of_one_name_are_refused():
    def margin_of(scale):
        def margin(z, y):
            return scale * z * y

        return margin

    with pytest.raises(InputError, match="two metrics are called 'margin'"):
        sweep.landscape((X, Y), 0.0, 0.0, [margin, margin_of(2)], model=network())
    once = sweep.landscape((X, Y), 0.0, 0.0, [margin, margin], model=network())
    assert list(once.data_vars) == ["margin"]
