import gzip
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from sweep import InputError
from sweep.data import predictions
from sweep.data import sample as data

Y = [0, 1] * 5
Z = np.linspace(-3, 3, 10)
TABLE = pd.DataFrame({"id": list("abcdefghij"), "y": Y, "logit": Z, "weight": np.arange(10) + 1.0})
Z3 = np.random.default_rng(0).normal(size=(12, 3))
ANIMALS = ["cat", "dog", "owl"]
SEVERAL = pd.DataFrame({f"logit_{name}": Z3[:, k] for k, name in enumerate(ANIMALS)}).assign(
    y=ANIMALS * 4
)


def _written(path, table):
    """The table in a file, as its suffix says."""
    if path.suffix == ".npz":
        np.savez(path, **{name: table[name].to_numpy() for name in table if name != "id"})
    elif path.suffix in (".parquet", ".pq"):
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.suffixes else ",")
    return path


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.csv.gz", "p.tsv.gz", "p.parquet", "p.npz"])
def test_files_of_every_kind_are_the_same_predictions(tmp_path, name):
    found = predictions.load(_written(tmp_path / name, TABLE))
    assert found.y.tolist() == Y
    np.testing.assert_array_equal(found.logits, Z)
    assert found.weight.tolist() == list(range(1, 11))
    assert found.classes == ("0", "1")


@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_samples_are_read_from_parquet_too(tmp_path, suffix):
    path = _written(tmp_path / f"s{suffix}", TABLE.rename(columns={"logit": "x"}))
    sample = data.load(path)
    np.testing.assert_array_equal(sample.x, Z)
    assert sample.weight.tolist() == list(range(1, 11))


def test_columns_have_other_names(tmp_path):
    table = TABLE.rename(columns={"y": "truth", "logit": "score", "weight": "w"})
    path = _written(tmp_path / "p.csv", table.assign(p=expit(Z)))
    found = predictions.load(path, y="truth", logit="score", weight="w")
    assert found.weight.tolist() == list(range(1, 11))
    probable = predictions.load(path, y="truth", probability="p")
    assert probable.weight is None
    np.testing.assert_allclose(probable.logits, found.logits, rtol=1e-12)


def test_a_file_with_logits_and_probabilities_needs_a_choice(tmp_path):
    path = _written(tmp_path / "p.csv", TABLE.assign(probability=expit(2 * Z)))
    for options, factor in (({"logit": "logit"}, 1), ({"probability": "probability"}, 2)):
        found = predictions.load(path, **options)
        np.testing.assert_allclose(found.logits, factor * Z, rtol=1e-12)
    with pytest.raises(InputError, match="has columns 'logit' and 'probability'; choose one with"):
        predictions.load(path)
    with pytest.raises(InputError, match="both logits and probabilities are asked for"):
        predictions.load(path, logit="logit", probability="probability")


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_classes_are_called_as_their_columns_end(tmp_path, name):
    table = SEVERAL[["logit_owl", "y", "logit_cat", "logit_dog"]]
    found = predictions.load(_written(tmp_path / name, table))
    assert found.classes == ("owl", "cat", "dog")
    assert found.y.tolist() == [1, 2, 0] * 4
    np.testing.assert_array_equal(found.logits, Z3[:, [2, 0, 1]])
    renamed = table.rename(columns=lambda name: name.replace("logit", "score"))
    again = predictions.load(_written(tmp_path / name, renamed), logit="score")
    np.testing.assert_array_equal(again.logits, found.logits)


def test_two_classes_may_have_a_column_each(tmp_path):
    p = expit(Z)
    table = pd.DataFrame({"probability_no": 1 - p, "probability_yes": p, "y": ["no", "yes"] * 5})
    found = predictions.load(_written(tmp_path / "p.csv", table))
    assert found.classes == ("no", "yes")
    assert found.y.tolist() == Y
    np.testing.assert_allclose(found.logits, Z, rtol=1e-12)
    other = predictions.load(tmp_path / "p.csv", pos_label="no")
    np.testing.assert_allclose(other.logits, -Z, rtol=1e-12)


def test_an_array_of_an_npz_file_has_a_column_for_each_class(tmp_path):
    np.savez(tmp_path / "p.npz", y_true=[0, 1, 2] * 4, logits=Z3)
    np.testing.assert_array_equal(predictions.load(tmp_path / "p.npz").logits, Z3)
    np.savez(tmp_path / "p.npz", y=["a", "b", "c"] * 4, probabilities=softmax(Z3, axis=1))
    found = predictions.load(tmp_path / "p.npz")
    assert found.classes == ("a", "b", "c")
    np.testing.assert_allclose(softmax(found.logits, axis=1), softmax(Z3, axis=1), rtol=1e-12)


def test_labels_are_texts_by_the_command_line(tmp_path):
    path = _written(tmp_path / "p.csv", TABLE.assign(y=[-1, 1] * 5))
    assert predictions.load(path, pos_label="1").y.tolist() == Y
    path = _written(tmp_path / "p.csv", TABLE.assign(y=[False, True] * 5))
    assert predictions.load(path, pos_label="True").classes == ("False", "True")


def test_exact_probabilities_are_those_of_the_numbers_in_the_file(tmp_path):
    p = expit(Z).astype(np.float32)
    p[3] = 1
    table = pd.DataFrame({"y": Y, "probability": p})
    assert predictions.load(_written(tmp_path / "p.parquet", table)).taken_for == 2.0**-23
    assert predictions.load(_written(tmp_path / "p.csv", table)).taken_for == 2.0**-52
    assert predictions.load(tmp_path / "p.csv", clip=1e-3).taken_for == 1e-3


BAD = {
    "no y": (TABLE.drop(columns="y"), {}, "has no column 'y'; its columns are 'id'.*--y,"),
    "no such y": (TABLE, {"y": "truth"}, "has no column 'truth'"),
    "no logit": (
        TABLE.drop(columns="logit"),
        {},
        "has no column 'logit' or 'probability'; .*--logit or --probability",
    ),
    "no such logit": (TABLE, {"logit": "score"}, "has no column 'score'; .*with --logit,"),
    "no such weight": (TABLE, {"weight": "mass"}, "has no column 'mass'; .*with --weight,"),
    "one class of several": (
        TABLE.rename(columns={"logit": "logit_cat"}),
        {},
        "has a column 'logit_cat', but none for another class; .*--logit=logit_cat",
    ),
    "text": (TABLE.astype({"logit": str}).replace({"logit": {"3.0": "x"}}), {}, "row 10 is 'x'"),
    "a gap": (TABLE.replace({"logit": {3.0: np.nan}}), {}, "'logit' in row 10 is nan"),
    "a gap among labels": (TABLE.assign(y=[*Y[:9], None]), {}, "'y' in row 10 is (nan|missing)"),
    "a gap among texts": (TABLE.assign(y=[*"abababab", "a", None]), {}, "'y' in row 10 is missing"),
    "labels": (TABLE.assign(y=[-1, 1] * 5), {}, "the labels are -1 and 1; .*--pos-label"),
    "no such label": (TABLE, {"pos_label": "yes"}, "pos_label 'yes' is none of the labels"),
    "one class": (TABLE.assign(y=1), {}, r"'y' holds one class only \(1\)"),
    "no rows": (TABLE[:0], {}, "has no rows; at least 10"),
    "few": (TABLE[:7], {}, "n = 7: at least 10"),
    "weights": (TABLE.assign(weight=-1.0), {}, "'weight' in row 1 is -1, which is negative"),
    "probabilities": (TABLE.assign(logit=expit(Z)), {}, "'logit' lies between .* look like prob"),
    "logits": (TABLE, {"probability": "logit"}, "'logit' in row 1 is -3, which is outside"),
    "gap of a class": (
        SEVERAL.replace({"logit_dog": {Z3[4, 1]: np.nan}}),
        {},
        "'logit_dog' in row 5 is nan",
    ),
    "stranger": (
        SEVERAL.assign(y=[*ANIMALS * 3, "cat", "dog", "elk"]),
        {},
        "'y' in row 12 is 'elk', which is none of the classes 'cat', 'dog', 'owl'",
    ),
    "sums": (
        SEVERAL.rename(columns=lambda name: name.replace("logit", "probability")).assign(
            probability_cat=0.5, probability_dog=0.5, probability_owl=0.1
        ),
        {},
        r"'probability_\*' in row 1 adds up to 1.1",
    ),
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_sentence(tmp_path, name, suffix):
    table, options, sentence = BAD[name]
    path = _written(tmp_path / f"p.{suffix}", table)
    with pytest.raises(InputError, match=sentence) as caught:
        predictions.load(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_files_that_are_no_parquet_are_refused(tmp_path):
    path = tmp_path / "p.parquet"
    whole = _written(path, TABLE).read_bytes()
    for content in (b"", b"PAR1", b"y,logit\n1,2\n", whole[:-100], whole[:4] + whole[200:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not a Parquet file, or a damaged one") as caught:
            predictions.load(path)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        predictions.load(path)
    path.mkdir()
    with pytest.raises(InputError, match="is a directory"):
        predictions.load(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = _written(tmp_path / "p.parquet", TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"needs pyarrow; .*pip install pyarrow"):
        predictions.load(path)


def test_missing_files_and_other_kinds_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        predictions.load(tmp_path / "p.csv")
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(b"y,logit\n0,1\n" * 1000)[:-20])
    with pytest.raises(InputError, match="is a damaged gzip file"):
        predictions.load(tmp_path / "p.csv.gz")
    np.savez(tmp_path / "p.npz", y=Y, logit=np.zeros((10, 2, 2)))
    with pytest.raises(InputError, match=r"'logit' has shape \(10, 2, 2\)"):
        predictions.load(tmp_path / "p.npz")
