"""Specs of networks: the table `training`, and what is refused in it and beside it."""

import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep import InputError
from sweep.runs.spec.schema import TRAINING
from sweep.runs.store import work_of
from tests.support.checkout import ROOT


def test_one_value_a_list_and_a_text_mean_the_same():
    given = {"widths": [8, 4], "keep": 300, "batch": "full", "optimizer": "adam"}
    first = sweep.Spec(seed="0:2:3", training={"problem": "outlier"} | given)
    other = sweep.Spec(
        seed=[0, 1, 2],
        training={"problem": ["outlier"], "widths": "8-4", "keep": [300.0], "l2": 0, "epochs": 3e2},
    )
    assert first == other
    assert first.fingerprint == other.fingerprint
    several = sweep.Spec(training={"problem": "outlier", "widths": [[8, 4], [3]], "batch": [5]})
    axes = several.training.grid.axes
    assert axes == {"widths": ((8, 4), (3,)), "batch": (5,)}
    assert several.seed == (0,)


HYPERPARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "widths": st.sampled_from(["3-3", ["2", "none", "4-4"], [[2, 3]]]),
        "activation": st.sampled_from(["tanh", "leaky_relu(0.2)"]),
        "learning_rate": st.lists(st.floats(1e-9, 10), unique=True, min_size=1, max_size=3),
        "batch": st.lists(st.sampled_from([5, 7, "full"]), unique=True, min_size=1),
        "resample": st.booleans() | st.just([True, False]),
        "loss": st.just("focal(2)"),
        "schedule": st.just("cosine(0.1)"),
    },
)  # fmt: skip


@given(HYPERPARAMETERS, st.booleans())
@settings(max_examples=20)
def test_the_canonical_text_reads_back(table, of_data):
    source = {} if of_data else {"problem": "outlier"}
    top = {"data": ["a.csv"], "x": ["u", "v"]} if of_data else {}
    spec = sweep.Spec.of(top | {"training": source | table})
    again = sweep.Spec.of(tomllib.loads(spec.to_toml()))
    assert again == spec
    assert (again.fingerprint, again.to_toml()) == (spec.fingerprint, spec.to_toml())
    assert sweep.Spec.of(json.loads(json.dumps(spec.to_dict()))) == spec


CHANGES = {
    "problem": None, "validation": 0.5, "epochs": 9, "keep": 1, "dtype": "float64", "block": 7,
    "widths": 4, "activation": "tanh", "loss": "focal", "optimizer": "sgd", "learning_rate": 0.02,
    "schedule": "cosine", "batch": 3, "resample": True, "l1": 0.1, "l2": 0.1, "dropout": 0.1,
    "noise": 0.1, "initial_bias": 0.1,
}  # fmt: skip


def test_every_key_makes_another_fingerprint():
    assert set(CHANGES) == set(TRAINING)
    specs = [
        sweep.Spec(data="a.csv", training={key: value} if value else {})
        for key, value in CHANGES.items()
    ]
    specs += [sweep.Spec(data="a.csv", training={}, **{key: "z"}) for key in ("x", "y")]
    specs += [
        sweep.Spec(data="a.csv", training={}, seed=3),
        sweep.Spec(training={"problem": "outlier"}),
    ]
    assert len({spec.fingerprint for spec in specs}) == len(specs)


def test_the_spec_of_the_readme_reads():
    readme = (ROOT / "sweep" / "runs" / "README.md").read_text(encoding="utf-8")
    _, text = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    values = tomllib.loads(text)
    spec = sweep.Spec.of(values)
    assert len(spec.training.grid.combinations) == 8
    assert work_of(spec).numbers.count() == 4 * 4
    usual = sweep.Spec(training={"problem": "outlier"}).training
    changed = {
        key for key, value in spec.training.to_dict().items() if value != usual.to_dict()[key]
    }
    assert changed == set(values["training"]) - {"problem"}


NETWORKS = '[training]\nproblem = "outlier"\n'
BAD = {
    "unknown": (f"{NETWORKS}epoch = 3", "line 3: training has no key 'epoch'; did you mean ep"),
    "a landscape's": (f"a = '0:1:3'\n{NETWORKS}", "line 1: a is for landscapes; leave it out"),
    "a law": (f"population = 'W1'\n{NETWORKS}", "line 1: population is for landscapes; leav"),
    "sizes": (f"n = 100\n{NETWORKS}", "n is for landscapes; leave it out beside [training]"),
    "dtype": (f"dtype = 'float32'\n{NETWORKS}", "dtype is for landscapes; leave it out beside"),
    "no source": ("[training]\nepochs = 3", "line 1: there is neither problem nor data; give prob"),
    "two sources": (f"data = 'a.csv'\n{NETWORKS}", "problem and data exclude each other; give one"),
    "a share of a problem": (f"{NETWORKS}validation = 0.5", "validation is a share of the rows of"),
    "columns of a problem": (f"x = 'u'\n{NETWORKS}", "x names a column of data; leave it out be"),
    "share": ("data = 'a.csv'\n[training]\nvalidation = 1", "validation is 1; a share between 0"),
    "no problem": ("[training]\nproblem = 'outlie'", "there is no problem 'outlie'; there are out"),
    "problem twice": ("[training]\nproblem = ['outlier', 'outlier']", "problem holds 'outlier' tw"),
    "no table": ("training = 3", "line 1: training is 3; a table is needed, such as [training]"),
    "rate": (f"{NETWORKS}learning_rate = [0.1, 0]", "learning_rate is 0; a number above 0 is need"),
    "type of a rate": (f"{NETWORKS}learning_rate = '0.1'", "line 3: learning_rate is '0.1'; a num"),
    "widths": (f"{NETWORKS}widths = [3, 0]", "widths is 0; a whole number from 1 to 4096 is need"),
    "activation": (f"{NETWORKS}activation = 'rely'", "there is no activation 'rely'; the known"),
    "optimiser": (f"{NETWORKS}optimizer = 'adem'", "there is no optimizer 'adem'; the known ones"),
    "schedule": (f"{NETWORKS}schedule = 'step'", "there is no schedule 'step'; the known ones are"),
    "loss": (f"{NETWORKS}loss = 'accuracy'", "loss is accuracy, which has no gradient; the losses"),
    "empty": (f"{NETWORKS}l1 = []", "l1 is empty; a number that is not negative is needed"),
    "twice": (f"{NETWORKS}l1 = [0.1, 0.1]", "l1 holds 0.1 twice; give it once"),
    "epochs": (f"{NETWORKS}epochs = 0", "epochs is 0; a whole number from 1 to 1000000 is needed"),
    "part of epochs": (f"{NETWORKS}epochs = 1.5", "epochs is 1.5; a whole number from 1 to"),
    "endless epochs": (f"{NETWORKS}epochs = inf", "epochs is inf; a whole number from 1 to"),
    "keep": (f"{NETWORKS}epochs = 9\nkeep = 10", "line 4: keep is 10; a whole number from 0 to 9"),
    "keep twice": (f"{NETWORKS}keep = [5, 5]", "keep holds 5 twice; give it once"),
    "block": (f"{NETWORKS}block = 0", "block is 0; a whole number of seeds is needed, such as 100"),
    "precision": (f"{NETWORKS}dtype = 'half'", "dtype is 'half'; a text is needed: \"float32\" or"),
    "seed": (f"seed = 4294967296\n{NETWORKS}", "line 1: seed is 4294967296; a whole number from"),
    "room": (f"seed = '0:9999:10000'\n{NETWORKS}block = 10000\nepochs = 100000", "block: the c"),
    "combinations": (
        NETWORKS + "".join(f"{n} = {list(range(30))}\n" for n in ("l1", "l2", "noise")),
        "training asks for 27000 combinations of hyperparameters, more than the limit of 10000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_text_that_is_not_a_spec_is_refused_with_its_line(tmp_path, name):
    text, sentence = BAD[name]
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        sweep.Spec.read(tmp_path / "s.toml")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/s.toml")
    assert sentence in message
    assert "\n" not in message


def test_every_key_refuses_a_wrong_type_and_says_what_it_needs():
    for key in TRAINING:
        for value in ([[[]]], {"a": object()}, object()):
            with pytest.raises(InputError, match=f"^{key} ") as caught:
                sweep.Spec.of({"training": {"problem": "outlier", key: value}})
            assert caught.value.key == f"training.{key}"
