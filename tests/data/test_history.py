import gzip
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sweep import InputError
from sweep.data import history
from sweep.data.history import History

KERAS = {
    "accuracy": [0.5, 0.7, 0.8],
    "loss": [0.7, 0.5, 0.4],
    "val_accuracy": [0.5, 0.6, 0.7],
    "val_loss": [0.7, 0.6, 0.6],
    "lr": [0.1, 0.1, 0.1],
}
ROWS = [
    {"epoch": 5, "train_loss": 0.7, "val_acc": 0.5},
    {"epoch": 6, "train_loss": 0.5, "val_acc": 0.6},
    {"epoch": 7, "train_loss": 0.4, "val_acc": 0.7},
]
CSV = "epoch,loss,val_loss,note\n0,0.7,0.7,a\n1,0.5,0.6,b\n2,0.4,0.65,c\n"


@pytest.mark.parametrize(
    "given",
    [KERAS, SimpleNamespace(history=KERAS), History.of(KERAS), pd.DataFrame(KERAS)],
)
def test_a_history_has_the_forms_of_keras(given):
    found = History.of(given)
    assert len(found) == 3
    assert found.epochs.tolist() == [1, 2, 3]
    assert found.loss.tolist() == KERAS["loss"]
    assert found.val_loss.tolist() == KERAS["val_loss"]
    assert found.acc.tolist() == KERAS["accuracy"]
    assert found.val_acc.tolist() == KERAS["val_accuracy"]


def test_a_history_may_be_a_mapping_for_each_epoch():
    found = History.of(ROWS)
    assert found.epochs.tolist() == [5, 6, 7]
    assert found.loss.tolist() == [0.7, 0.5, 0.4]
    assert found.val_acc.tolist() == [0.5, 0.6, 0.7]
    assert found.val_loss is None
    assert found.acc is None


def test_histories_are_read_from_files(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(KERAS))
    (tmp_path / "b.json").write_text(json.dumps({"params": {}, "history": KERAS}))
    (tmp_path / "c.json").write_text(json.dumps(ROWS))
    (tmp_path / "d.csv").write_text(CSV)
    (tmp_path / "e.tsv").write_text(CSV.replace(",", "\t"))
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    np.savez(tmp_path / "g.npz", **KERAS)
    found = {path.name[0]: history.load(path) for path in sorted(tmp_path.iterdir())}
    for loaded in found.values():
        assert loaded.loss.tolist() == [0.7, 0.5, 0.4]
    assert [found[name].epochs[0] for name in "abcdefg"] == [1, 1, 5, 0, 0, 0, 1]
    assert found["d"].val_loss.tolist() == [0.7, 0.6, 0.65]


def _with(name, row, value):
    changed = {key: list(values) for key, values in KERAS.items()}
    changed[name][row] = value
    return changed


def _counted(*epochs):
    return {"loss": [0.5] * len(epochs), "epoch": list(epochs)}


BAD = {
    "a number": (3, "the history is a int; a mapping of names"),
    "a text": ("loss", "the history is a str"),
    "numbers": ([1, 2, 3], "entry 1 of the history is 1, not a mapping"),
    "nothing": ([], "the history has no epochs"),
    "no loss": ({"val_loss": [1, 2, 3]}, "no training loss .* there are: 'val_loss'"),
    "no names": ({}, "no training loss .* there are: none"),
    "rows without loss": ([{"acc": 1}] * 3, "no training loss"),
    "a row without loss": ([*ROWS, {"epoch": 8, "val_acc": 1}], "entry 4 .* has no 'train_loss'"),
    "two epochs": ({"loss": [1, 2]}, "the history has 2 epochs; at least 3"),
    "no epochs": ({"loss": []}, "the history has 0 epochs"),
    "lengths": (KERAS | {"val_loss": [1, 2]}, "'loss' has 3 epochs but 'val_loss' has 2"),
    "a missing epoch": (_counted(1, 2, 4), "epoch 3 is missing: after 2 comes 4"),
    "an epoch twice": (_counted(1, 2, 2, 3), "epoch 2 appears twice"),
    "disorder": (_counted(1, 3, 2), "epoch 2 is missing"),
    "a step back": (_counted(2, 3, 1), "epoch 1 comes after epoch 3"),
    "half an epoch": (_counted(1, 1.5, 2), r"epoch\[1\] is 1.5, which is not a whole number"),
    "nan epoch": (_counted(1, np.nan, 2), r"epoch\[1\] is nan"),
    "nan": (_with("val_loss", 1, np.nan), "'val_loss' at epoch 2 is nan, which is not a finite"),
    "inf": (_with("loss", 2, np.inf), "'loss' at epoch 3 is inf"),
    "percent": (_with("val_accuracy", 0, 93), "'val_accuracy' at epoch 1 is 93, .*percentages"),
    "negative": (_with("accuracy", 0, -0.1), r"'accuracy' at epoch 1 is -0.1, .* \[0, 1\]"),
    "text": (_with("loss", 1, "x"), r"loss\[1\] is 'x', which is not a number"),
    "None": (_with("loss", 1, None), r"loss\[1\] is None"),
    "a table": ({"loss": [[1, 2], [3, 4]]}, r"loss has shape \(2, 2\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_histories_are_refused_in_one_sentence(name):
    given, sentence = BAD[name]
    with pytest.raises(InputError, match=sentence) as caught:
        History.of(given)
    assert "\n" not in str(caught.value)


BAD_FILES = {
    "h.json": [
        ('{"loss": [1,\n2,\n}', r"line 3 is not JSON \(.*column 1\)"),
        ("", "line 1 is not JSON"),
        (b"\xff\xfe\x00", "is not JSON, which is text"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"loss": [1, NaN, 3]}', "'loss' at epoch 2 is nan"),
        ('"loss"', "the history is a str"),
    ],
    "h.csv": [
        ("", "is empty"),
        ("epoch,val_loss\n1,2\n", "no training loss"),
        ("epoch,loss\n1,2\n2,\n3,1\n", "'loss' at epoch 2 is nan"),
        ("epoch,loss\n1,1\n2,1\n4,1\n", "epoch 3 is missing"),
        ("loss,loss\n1,1\n2,1\n4,1\n", "has 2 columns 'loss'"),
    ],
    "h.txt": [
        ("loss\n1\n2\n3\n", "a history is read from a file that ends in .json, .csv, .tsv, .gz,")
    ],
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_in_one_sentence(tmp_path, name):
    path = tmp_path / name
    for content, sentence in BAD_FILES[name]:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError, match=sentence) as caught:
            history.load(path)
        assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", ["missing.json", "missing.csv"])
def test_missing_files_and_directories_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such file"):
        history.load(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="directory"):
        history.load(tmp_path / name)
