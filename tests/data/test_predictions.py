import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.metrics import log_loss

from sweep import InputError
from sweep.data.predictions import Predictions

Y = [0, 1] * 5
Z = np.linspace(-3, 3, 10)
P = expit(Z)
Y3 = [0, 1, 2] * 4
Z3 = np.random.default_rng(0).normal(size=(12, 3))
P3 = softmax(Z3, axis=1)


def _loss(found):
    """Mean cross-entropy in nats, by the definition."""
    if found.binary:
        return np.average(np.logaddexp(0, (1 - 2 * found.y) * found.logits), weights=found.weight)
    logs = log_softmax(found.logits, axis=1)
    return np.average(-logs[np.arange(len(found)), found.y], weights=found.weight)


SAME = {
    "lists": (Y, list(Z)),
    "arrays": (np.array(Y), Z),
    "columns": (np.array(Y)[:, None], Z[:, None]),
    "series": (pd.Series(Y), pd.Series(Z)),
    "a frame": (pd.DataFrame({"y": Y}), pd.DataFrame({"z": Z})),
    "booleans": (np.array(Y, bool), Z),
    "floats": (np.array(Y, float), Z),
    "small integers": (np.array(Y, np.int8), Z),
    "objects": (np.array(Y, object), Z),
    "nullable": (pd.Series(Y, dtype="Int64"), pd.Series(Z, dtype="Float64")),
    "two columns": (Y, np.column_stack([np.ones(10), 1 + Z])),
    "log-probabilities": (Y, np.log(np.column_stack([1 - P, P]))),
}


@pytest.mark.parametrize("name", SAME)
def test_logits_of_any_form_are_the_same_predictions(name):
    found = Predictions.of(*SAME[name])
    assert found.binary
    assert len(found) == 10
    assert found.y.tolist() == Y
    np.testing.assert_allclose(found.logits, Z, rtol=1e-12)
    assert found.logits.dtype == np.float64
    assert found.weight is None
    assert not found.exact.any()
    assert np.isnan(found.taken_for)
    assert found.classes == (("False", "True") if name == "booleans" else ("0", "1"))


@pytest.mark.parametrize("probabilities", [P, P[:, None], np.column_stack([1 - P, P])])
def test_probabilities_become_logits(probabilities):
    found = Predictions.of(Y, probabilities=probabilities)
    np.testing.assert_allclose(found.logits, Z, rtol=1e-12)
    assert _loss(found) == pytest.approx(log_loss(Y, P), rel=1e-14)


def test_predictions_cannot_be_written_and_make_a_sample():
    found = Predictions.of(Y, Z, np.arange(10) + 1)
    for column in (found.y, found.logits, found.weight):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    np.testing.assert_array_equal(found.sample.x, Z)
    np.testing.assert_array_equal(found.sample.weight, np.arange(10) + 1)


def test_losses_and_the_measure_are_computed_once():
    two, three = Predictions.of(Y, Z), Predictions.of(Y3, Z3)
    for predictions in (two, three):
        assert np.mean(predictions.losses) == pytest.approx(_loss(predictions), rel=1e-14)
        assert predictions.losses is predictions.losses
        assert not predictions.losses.flags.writeable
    assert two.measure is two.measure
    assert two.measure.fingerprint == two.sample.fingerprint


def test_a_second_column_keeps_what_rounds_to_1():
    small = np.full(10, 1e-30)
    found = Predictions.of(Y, probabilities=np.column_stack([small, np.ones(10)]))
    np.testing.assert_allclose(found.logits, -np.log(1e-30), rtol=1e-15)
    assert not found.exact.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wide", [False, True])
def test_exact_probabilities_are_taken_for_what_scikit_learn_takes_them_for(dtype, wide):
    p = P.astype(dtype)
    p[[0, 2, 9]] = 0, 1, 1
    given = np.column_stack([1 - p, p]) if wide else p
    found = Predictions.of(Y, probabilities=given)
    assert np.flatnonzero(found.exact).tolist() == [0, 2, 9]
    assert found.taken_for == np.finfo(dtype).eps
    assert _loss(found) == pytest.approx(log_loss(Y, p), rel=1e-6 if dtype == np.float32 else 1e-14)
    expected = float(logit(1 - np.float64(found.taken_for)))
    np.testing.assert_allclose(found.logits[[0, 2, 9]], [-expected, expected, expected], rtol=1e-12)


def test_clipping_is_that_of_keras():
    p = P.copy()
    p[[0, 2, 3]] = 0, 1, 1e-9
    found = Predictions.of(Y, probabilities=p, clip=1e-7)
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    losses = -np.where(Y, np.log(clipped), np.log1p(-clipped))
    assert _loss(found) == pytest.approx(losses.mean(), rel=1e-9)  # 1 - 1e-7 is rounded there
    assert np.flatnonzero(found.exact).tolist() == [0, 2]
    assert found.taken_for == 1e-7
    half = Predictions.of(Y, probabilities=p.astype(np.float16), clip=1e-7)
    assert half.logits[2] == pytest.approx(logit(1 - 1e-7), rel=1e-9)


def test_infinite_logits_are_exact_probabilities():
    z = Z.copy()
    z[[1, 4]] = np.inf, -np.inf
    found = Predictions.of(Y, z)
    assert np.flatnonzero(found.exact).tolist() == [1, 4]
    assert found.logits[1] == -found.logits[4] == pytest.approx(np.log(2.0**52), rel=1e-15)
    logs = np.log(np.column_stack([1 - P, P]))
    logs[3] = -np.inf, 0
    assert Predictions.of(Y, logs).logits[3] == pytest.approx(np.log(2.0**52), rel=1e-15)


def test_several_classes_have_a_column_each():
    for found in (Predictions.of(Y3, Z3), Predictions.of(Y3, probabilities=P3)):
        assert not found.binary
        assert found.classes == ("0", "1", "2")
        assert _loss(found) == pytest.approx(log_loss(Y3, P3), rel=1e-13)
    weight = np.arange(12.0)
    found = Predictions.of(Y3, Z3, weight)
    assert _loss(found) == pytest.approx(log_loss(Y3, P3, sample_weight=weight), rel=1e-13)


def test_exact_probabilities_of_several_classes():
    p = P3.copy()
    p[0], p[1], p[2] = (0, 0, 1), (1, 0, 0), (0.5, 0.5, 0)
    found = Predictions.of(Y3, probabilities=p)
    assert np.flatnonzero(found.exact).tolist() == [0, 1, 2]
    assert found.taken_for == np.finfo(float).eps
    assert _loss(found) == pytest.approx(log_loss(Y3, p), rel=1e-14)
    z = np.log(np.maximum(p, 1e-300)) + 7
    z[0], z[1], z[2] = (0, 5, np.inf), (3, -np.inf, -np.inf), (9, 9, -np.inf)
    infinite = Predictions.of(Y3, z)
    assert np.flatnonzero(infinite.exact).tolist() == [0, 1, 2]
    np.testing.assert_allclose(
        softmax(infinite.logits, axis=1), softmax(found.logits, axis=1), rtol=1e-12, atol=1e-30
    )
    clipped = Predictions.of(Y3, probabilities=p, clip=1e-7)
    expected = log_softmax(np.log(np.clip(p, 1e-7, 1 - 1e-7)), axis=1)
    np.testing.assert_allclose(log_softmax(clipped.logits, axis=1), expected, rtol=1e-12)


LABELS = {
    "-1 and 1": ([-1, 1], 1, ("-1", "1"), 0),
    "1 and 2": ([1, 2], 2, ("1", "2"), 0),
    "as text": ([-1, 1], "1", ("-1", "1"), 0),
    "as a float": ([-1, 1], "1.0", ("-1", "1"), 0),
    "texts": (["no", "yes"], "yes", ("no", "yes"), 0),
    "the first of two": (["no", "yes"], "no", ("yes", "no"), 1),
    "0 as class 1": ([0, 1], 0, ("1", "0"), 1),
    "booleans": ([False, True], "True", ("False", "True"), 0),
    "not true": ([False, True], False, ("True", "False"), 1),
    "bytes": ([b"a", b"b"], "b", ("a", "b"), 0),
}


@pytest.mark.parametrize("name", LABELS)
def test_two_labels_of_any_kind_say_which_is_class_1(name):
    values, positive, names, flipped = LABELS[name]
    found = Predictions.of(values * 5, Z, pos_label=positive)
    assert found.classes == names
    assert found.y.tolist() == ([1, 0] if flipped else [0, 1]) * 5
    np.testing.assert_array_equal(found.logits, Z)


def test_two_columns_are_in_the_order_of_the_labels_or_of_their_names():
    wide = np.column_stack([-Z, Z])
    labels = ["benign", "malignant"] * 5
    sorted_ = Predictions.of(labels, wide)
    assert sorted_.classes == ("benign", "malignant")
    assert sorted_.y.tolist() == Y
    np.testing.assert_allclose(sorted_.logits, 2 * Z)
    first = Predictions.of(labels, wide, pos_label="benign")
    assert first.classes == ("malignant", "benign")
    np.testing.assert_allclose(first.logits, -2 * Z)
    assert first.y.tolist() == [1, 0] * 5
    assert _loss(first) == pytest.approx(_loss(sorted_), rel=1e-14)
    named = Predictions.of(labels, wide, classes=["malignant", "benign"])
    assert named.y.tolist() == [1, 0] * 5
    np.testing.assert_allclose(named.logits, 2 * Z)


SEVERAL = {
    "numbers": (Y3, None, ("0", "1", "2"), Y3),
    "not all of them": ([0, 2] * 6, None, ("0", "1", "2"), [0, 2] * 6),
    "three others": ([5, 7, 9] * 4, None, ("5", "7", "9"), Y3),
    "texts": (["a", "b", "c"] * 4, None, ("a", "b", "c"), Y3),
    "names": (["b", "c"] * 6, ["c", "a", "b"], ("c", "a", "b"), [2, 0] * 6),
    "numbers by name": ([1, 3] * 6, ["3", "2", "1"], ("3", "2", "1"), [2, 0] * 6),
    "numbers of names": (Y3, ["cat", "dog", "owl"], ("cat", "dog", "owl"), Y3),
    "floats": (np.array(Y3, float), None, ("0", "1", "2"), Y3),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_labels_of_several_classes_become_their_columns(name):
    values, classes, names, y = SEVERAL[name]
    found = Predictions.of(values, Z3, classes=classes)
    assert found.classes == names
    assert found.y.tolist() == list(y)


@given(
    labels=st.lists(st.sampled_from(["no", "yes"]), min_size=10, max_size=30).filter(
        lambda cells: len(set(cells)) == 2
    ),
    data=st.data(),
)
def test_which_class_is_1_does_not_change_the_loss(labels, data):
    n = len(labels)
    z = np.array(data.draw(st.lists(st.floats(-50, 50), min_size=n, max_size=n))) - 60
    one = Predictions.of(labels, z, pos_label="yes")
    other = Predictions.of(labels, -z, pos_label="no")
    assert one.y.tolist() == [label == "yes" for label in labels]
    assert (one.y + other.y == 1).all()
    assert _loss(one) == pytest.approx(_loss(other), rel=1e-12)


def _with(values, row, value):
    changed = np.array(values, dtype=object if isinstance(value, str) or value is None else float)
    changed[row] = value
    return changed


WIDE = np.column_stack([1 - P, P])
REFUSED = {
    "nothing": ((Y,), {}, "neither logits nor probabilities are given"),
    "both": ((Y, Z), {"probabilities": P}, "both logits and probabilities are given"),
    "lengths": ((Y, Z[:9]), {}, "logits has 9 rows but y_true has 10"),
    "length of weights": ((Y, Z, [1, 2]), {}, "logits has 10 rows but sample_weight has 2"),
    "few": ((Y[:7], Z[:7]), {}, "n = 7: at least 10 samples are needed"),
    "none": (([], []), {}, "n = 0: at least 10"),
    "cube": ((Y, np.zeros((10, 1, 2))), {}, r"logits has shape \(10, 1, 2\)"),
    "number": ((Y, 3.0), {}, r"logits has shape \(\)"),
    "no columns": ((Y, np.zeros((10, 0))), {}, r"logits has shape \(10, 0\)"),
    "ragged": ((Y, [[1, 2], [3]]), {}, "logits is ragged"),
    "nan": ((Y, _with(Z, 3, np.nan)), {}, r"logits\[3\] is nan, which is not a number"),
    "nan of several": ((Y3, _with(Z3, (4, 1), np.nan)), {}, r"logits\[4\]\[1\] is nan"),
    "text": ((Y, _with(Z, 3, "x")), {}, r"logits\[3\] is 'x', which is not a number"),
    "complex": ((Y, Z * 1j), {}, "logits has dtype complex128"),
    "masked": ((Y, np.ma.array(Z, mask=Z > 2)), {}, "logits has masked values"),
    "looks probable": ((Y, P), {}, "logits lies between 0.0474 and 0.953, which look like"),
    "two probable": ((Y, WIDE), {}, "look like prob.*column `probability`.*each logit minus 1"),
    "both infinite": ((Y, _with(np.column_stack([Z, Z]), 2, -np.inf)), {}, r"logits\[2\] has inf"),
    "two sure": ((Y3, _with(Z3, 2, np.inf)), {}, r"logits\[2\] has infinite logits of one sign"),
    "clip of logits": ((Y, Z), {"clip": 1e-7}, "clip is for probabilities"),
    "label nan": ((_with(Y, 2, np.nan), Z), {}, r"y_true\[2\] is nan, which is not a finite"),
    "label None": ((_with(Y, 2, None), Z), {}, r"y_true\[2\] is missing"),
    "label NA": (
        (pd.Series([*Y[:9], None], dtype="Int64"), Z),
        {},
        r"y_true\[9\] is (nan|missing)",
    ),
    "soft": ((_with(Y, 2, 0.3), Z), {}, r"y_true\[2\] is 0.3, which is not a class; .*soft label"),
    "one class": (([1] * 10, Z), {}, r"y_true holds one class only \(1\)"),
    "one text": ((["a"] * 10, Z), {}, r"y_true holds one class only \('a'\)"),
    "labels -1 and 1": (([-1, 1] * 5, Z), {}, "labels are -1 and 1; .*--pos-label"),
    "texts": ((["no", "yes"] * 5, Z), {}, "labels are 'no' and 'yes'; say which of them"),
    "three labels": ((range(10), Z), {}, r"10 labels \(0, 1, 2, 3, 4, 5, \.\.\.\), but one column"),
    "a slip": (
        ([*"abbabXabba"], Z),
        {"pos_label": "b"},
        r"3 labels .*, or correct y_true\[5\], which is 'X'",
    ),
    "one-hot": ((np.eye(10), Z), {}, r"y_true has shape \(10, 10\)"),
    "dates": ((np.array(["2020-01-01"] * 10, "M8[D]"), Z), {}, "y_true has dtype datetime64"),
    "stranger": ((Y, Z), {"pos_label": "yes"}, "pos_label 'yes' is none of the labels.* 0, 1"),
    "wide stranger": ((Y, WIDE * 9), {"pos_label": 7}, "pos_label 7 is none of the labels"),
    "pos_label of three": ((Y3, Z3), {"pos_label": 1}, "pos_label is for two classes"),
    "too many classes": (([1, 2, 3, 4] * 3, Z3), {}, r"4 classes \(1, 2, 3, 4\), but .* 3 columns"),
    "too few classes": ((["a", "b"] * 6, Z3), {}, r"2 classes \('a', 'b'\), but there are 3 col"),
    "no such class": (
        (["a", "b", "b"] * 4, Z3),
        {"classes": ["a", "c", "d"]},
        r"y_true\[1\] is 'b', which is none of the classes 'a', 'c', 'd'",
    ),
    "names": ((Y3, Z3), {"classes": ["a", "a", "b"]}, "2 different names of classes, and 3 col"),
    "weight": ((Y, Z, _with(np.ones(10), 1, -2)), {}, r"sample_weight\[1\] is -2, which is neg"),
    "weight nan": ((Y, Z, _with(np.ones(10), 1, np.nan)), {}, r"sample_weight\[1\] is nan"),
    "weights": ((Y, Z, np.zeros(10)), {}, "every weight is 0"),
    "few weights": ((Y, Z, [1] * 9 + [0]), {}, "9 of 10 samples have a weight above 0"),
    "weights of one class": ((Y * 10, list(Z) * 10, [1, 0] * 50), {}, "are of one class"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_predictions_are_refused_in_one_sentence(name):
    arguments, options, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence) as caught:
        Predictions.of(*arguments, **options)
    assert not re.search(r"\n", str(caught.value))


BAD_PROBABILITIES = {
    "above": (_with(P, 3, 1.5), {}, r"probabilities\[3\] is 1.5, .*outside \[0, 1\].*`logit`"),
    "below": (_with(P, 3, -1e-9), {}, r"probabilities\[3\] is -1e-09, which is outside"),
    "nan": (_with(P, 3, np.nan), {}, r"probabilities\[3\] is nan"),
    "infinite": (_with(P, 3, np.inf), {}, r"probabilities\[3\] is inf"),
    "sums": (_with(WIDE, (3, 0), 0.9), {}, r"probabilities\[3\] adds up to 1\.\d+; .* up to 1"),
    "clip": (P, {"clip": 0.5}, "clip=0.5: a probability between 0 and 0.5"),
    "no clip": (P, {"clip": 0.0}, r"clip=0\.0: a probability"),
    "clip nan": (P, {"clip": np.nan}, "clip=nan: a probability"),
}


@pytest.mark.parametrize("name", BAD_PROBABILITIES)
def test_bad_probabilities_are_refused_in_one_sentence(name):
    probabilities, options, sentence = BAD_PROBABILITIES[name]
    with pytest.raises(InputError, match=sentence):
        Predictions.of(Y, probabilities=probabilities, **options)


def test_constant_or_narrow_logits_are_no_probabilities():
    for z in (np.full(10, 0.5), np.linspace(0.1, 0.5, 10), np.linspace(0, 1.1, 10)):
        np.testing.assert_array_equal(Predictions.of(Y, z).logits, z)
