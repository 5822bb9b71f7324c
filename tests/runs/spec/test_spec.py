"""Specs: what they mean, that their text reads back, and what they refuse."""

import itertools
import math
import re
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweep
from sweep.runs.spec import toml
from sweep.runs.spec.schema import KEYS
from tests.support.checkout import ROOT

LAW = {"population": "W1"}


@pytest.fixture
def read(tmp_path):
    """The spec of a text in TOML."""

    def call(text):
        path = tmp_path / "s.toml"
        path.write_text(text, encoding="utf-8")
        return sweep.Spec.read(path)

    return call


def test_the_smallest_spec_has_the_values_of_a_landscape(read):
    spec = read('population = "W1"')
    assert spec == sweep.Spec(population="W1", n=math.inf, seed=0, memory=512, tile=500)
    assert (spec.n, spec.seed, spec.metrics) == ((math.inf,), (0,), ("cross_entropy", "accuracy"))
    assert spec.grid.shape == (101, 101)
    assert (spec.method, spec.dtype, spec.tolerance) == ("auto", "float64", 1e-9)


def test_one_value_a_list_and_a_text_mean_the_same(read):
    texts = (
        'population = "w1"\nn = "100,1000"\nseed = "0:2:3"\na = "0:1:3"\nmetrics = "focal(3)"',
        'population = ["W1"]\nn = [1e3, 100]\nseed = [0, 1, 2]\na = [0, 0.5, 1]\n'
        "metrics = {name = 'focal', gamma = 3}\nmemory = 512.0",
        '\ufeffpopulation = ["W1"]\nn = "100:1000:2:log"\nseed = [0.0, 1.0, 2.0]\na = "0,0.5,1"\n'
        "[[metrics]]\nname = 'focal'\ngamma = [3]",
    )
    first, *others = map(read, texts)
    assert first.n == (100, 1000)
    assert first.seed == (0, 1, 2)
    for other in others:
        assert other.fingerprint == first.fingerprint
        assert {**other.to_dict(), "a": first.a} == first.to_dict()


def test_python_gives_arrays_tuples_and_paths(tmp_path):
    spec = sweep.Spec(population=("W1", "D1"), n=np.array([10, 100]), a=np.linspace(0, 1, 3))
    assert spec == sweep.Spec(population=["W1", "D1"], n=[10, 100], a=(0, 0.5, 1))
    assert sweep.Spec(data=tmp_path / "d.csv").files == (tmp_path / "d.csv",)


def test_laws_are_named_by_id_where_they_were_or_with_all_parameters():
    spec = sweep.Spec(population=["normal_logit(2)", "s5"])
    assert spec.population == ("normal_logit(a=2,b=0,mean=0,sd=1)", "S5")
    assert [law.name for law in spec.laws] == [
        spec.population[0],
        sweep.populations.CATALOGUE["S5"].name,
    ]


@given(
    w0=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    w1=st.lists(st.floats(1, 9), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=30)
def test_lists_of_a_metric_multiply_out(w0, w1):
    spec = sweep.Spec.of(
        LAW | {"metrics": [{"name": "weighted_cross_entropy", "w0": w0, "w1": w1}]}
    )
    expected = [
        sweep.metrics.metrics.weighted_cross_entropy(*pair) for pair in itertools.product(w0, w1)
    ]
    assert spec.metrics == tuple(metric.name for metric in expected)


NUMBERS = st.floats(-1e300, 1e300).map(lambda value: value + 0.0)
NAMES = st.text(st.characters(exclude_characters="\0./", exclude_categories=["Cs"]), max_size=20)
SAMPLES = st.fixed_dictionaries(
    {
        "population": st.just(["W1", "uniform_logit(a=2)"]),
        "n": st.lists(st.integers(1, 10**8) | st.just(math.inf), min_size=1, unique=True),
        "seed": st.lists(st.integers(0, 2**53), min_size=1, unique=True),
    }
)
FILES_OF_DATA = st.fixed_dictionaries(
    {
        "data": st.lists(NAMES.filter(str.strip), min_size=1, unique=True),
        "x": st.text(min_size=1),
        "weight": st.none() | st.text(min_size=1),
    }
)
REST = st.fixed_dictionaries(
    {
        "a": st.lists(NUMBERS, min_size=1, max_size=4, unique=True) | st.just(" -5:5:11 "),
        "tolerance": st.floats(1e-300, 1e300),
        "optimum": st.booleans(),
        "memory": st.integers(1, 2**50),
    }
)


@given(SAMPLES | FILES_OF_DATA, REST)
@settings(max_examples=60)
def test_the_canonical_text_reads_back(first, rest):
    spec = sweep.Spec.of(first | rest)
    again = sweep.Spec.of(tomllib.loads(spec.to_toml()))
    assert again == spec
    assert again.fingerprint == spec.fingerprint
    assert again.to_toml() == spec.to_toml()


CHANGES = {
    "population": "D1",
    "n": [100, 1000],
    "seed": 1,
    "a": "-5:5:102",
    "b": [0, 1],
    "metrics": "accuracy",
    "tolerance": 1e-8,
    "method": "direct",
    "dtype": "float32",
    "memory": 511,
    "optimum": False,
    "tile": 999,
}
TRAINED = {"training": {"problem": "outlier"}}


def test_every_key_makes_another_fingerprint():
    specs = [sweep.Spec(**LAW | {key: value}) for key, value in CHANGES.items()]
    data = {"data": "a.csv", "x": "u", "y": "v", "weight": "w"}
    specs += [sweep.Spec(**{"data": "b.csv", key: value}) for key, value in data.items()]
    specs.append(sweep.Spec(**TRAINED))
    assert {*CHANGES, *data, "training"} == set(KEYS)
    assert len({spec.fingerprint for spec in (sweep.Spec(**LAW), *specs)}) == len(specs) + 1


def test_the_directory_of_the_data_is_no_part_of_the_fingerprint(tmp_path):
    here, there = (sweep.Spec(data="a.csv", base=base) for base in ("", tmp_path))
    assert here == there
    assert here.fingerprint == there.fingerprint
    assert there.files == (tmp_path / "a.csv",)


def test_data_are_relative_to_the_file_of_the_spec(read, tmp_path):
    spec = read('data = ["a.csv", "/b/c.npy"]')
    assert [str(path) for path in spec.files] == [f"{tmp_path}/a.csv", "/b/c.npy"]
    with pytest.raises(sweep.InputError, match=r"'a\.csv', but there is no such file in /"):
        spec.require_data()
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(sweep.InputError, match=r"'a\.csv', which is a directory"):
        spec.require_data()
    (tmp_path / "a.csv").rmdir()
    (tmp_path / "a.csv").touch()
    read('data = "a.csv"').require_data()


def test_the_dimensions_of_the_store():
    spec = sweep.Spec(population=["W1", "D1"], n=[10, 20, 30], seed=[5, 6], a="0:1:25", tile=10)
    assert spec.coordinates == {"population": ("W1", "D1"), "n": (10, 20, 30), "seed": (5, 6)}
    assert (spec.landscapes, spec.tiles) == (12, (3, 11))
    data = sweep.Spec(data=["a.csv", "b.csv"])
    assert data.coordinates == {"data": ("a.csv", "b.csv")}
    assert (data.landscapes, data.n, data.seed) == (2, (), ())


def test_the_example_is_the_command_of_the_readme():
    spec = sweep.Spec.read(ROOT / "figures" / "w1.toml")
    assert spec == sweep.Spec(population="W1", n="10,100,1e4,1e6,inf")


def test_the_spec_of_the_readme_has_every_key_and_none_of_the_usual_values():
    readme = (ROOT / "sweep" / "runs" / "README.md").read_text(encoding="utf-8")
    text, _ = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    values = tomllib.loads(text)
    assert set(values) == set(KEYS) - {"data", "x", "y", "weight", "training"}
    spec, usual = sweep.Spec.of(values), sweep.Spec(population="W3")
    same = {key for key in values if getattr(spec, key) == getattr(usual, key)}
    assert same == {"b"}
    assert spec.metrics[:2] == usual.metrics
    assert (len(spec.metrics), spec.landscapes) == (7, 81)


BAD = {
    "syntax": ("n = 1\na = = 2", "line 2: is not TOML (a value is a number"),
    "unquoted": ("population = W1", "line 1: is not TOML (a value is a number"),
    "no value": ("population", "line 1: is not TOML (Expected '=' after a key"),
    "open list": ('\npopulation = ["W1"', "line 2: is not TOML (a list has no closing bracket"),
    "open text": (
        'population = "W1\nn = 1',
        "line 1: is not TOML (a text has no closing quote): p",
    ),
    "same key twice": ("n = 1\n\nn = 2", "line 3: is not TOML (the key is given twice): n = 2"),
    "digits": (f"n = {'9' * 5000}", "line 1: is not TOML (a number has too many digits): n = 9"),
    "depth": ("n = " + "[" * 10**5, "is nested too deeply"),
    "control": ("n = \x01", "line 1: is not TOML"),
    "empty": ("", "there is neither population nor data; give laws, such as population = ["),
    "misspelt": ('$\n\nmetric = "accuracy"', "line 3: unknown key 'metric'; did you mean metr"),
    "other name": ("$\nmemory_budget = 3", "unknown key 'memory_budget'; did you mean memory?"),
    "unknown": ("$\nfoo = 3", "line 2: unknown key 'foo'; the keys are population, data, n,"),
    "table": ("$\n[grid]\na = 1", "line 2: unknown key 'grid'; the keys are"),
    "table of a key": ("$\n[n]\na = 1", "line 2: n is a table with 'a'; sizes are needed"),
    "dotted": ("$\na.b = 1", "line 2: a is a table with 'b'; an axis is needed"),
    "empty axis": ("$\na = []", 'line 2: a is empty; an axis is needed, such as "-5:5:101"'),
    "no laws": ("population = []", "line 1: population is empty; a law or a list of laws"),
    "no sizes": ("$\nn = []", "n is empty; sizes are needed"),
    "no metrics": ("$\nmetrics = []", "metrics is empty"),
    "no parameter": ("$\nmetrics={name='focal',gamma=[]}", "metrics: gamma of focal is empty; a"),
    "type of laws": ("population = 3", "population is 3; a law or a list of laws is needed"),
    "type of a law": ("population = ['W1', 3]", "population holds 3; a law or a list of laws"),
    "type of sizes": ("$\nn = [100, '1e3']", "n holds '1e3'; sizes are needed"),
    "truth": ("$\nn = true", "n is true; sizes are needed"),
    "date": ("$\nn = 2020-01-01", "n is 2020-01-01 (date); sizes are needed"),
    "depth of an axis": ("$\na = [[0, 1]]", "a holds [0, 1]; an axis is needed"),
    "type of tolerance": ("$\ntolerance = 'low'", "tolerance is 'low'; a positive number"),
    "tolerance": ("$\ntolerance = 0", "tolerance is 0; a positive number is needed"),
    "endless tolerance": ("$\ntolerance = inf", "tolerance is inf; a positive number is needed"),
    "nan tolerance": ("$\ntolerance = nan", "tolerance is nan; a positive number is needed"),
    "text memory": ("$\nmemory = '1 GB'", "memory is '1 GB'; a whole number of MiB is needed"),
    "no memory": ("$\nmemory = 0", "memory is 0; a whole number of MiB is needed"),
    "part of memory": ("$\nmemory = 1.5", "memory is 1.5; a whole number of MiB is needed"),
    "optimum": ("$\noptimum = 'yes'", "optimum is 'yes'; true or false is needed"),
    "truth as number": ("$\noptimum = 1", "optimum is 1; true or false is needed"),
    "tile": ("$\ntile = -3", "tile is -3; a whole number of cells is needed"),
    "method": ("$\nmethod = 'fast'", 'method is \'fast\'; a text is needed: "auto", "direct" or'),
    "dtype": ("$\ndtype = 64", 'dtype is 64; a text is needed: "float64" or "float32"'),
    "law": ("population = ['W1', 'W9']", "population: there is no law 'W9'; the known laws are"),
    "blank law": ("population = ' '", "population holds ' '; a law"),
    "parameter of a law": ("population = 'uniform_logit(c=1)'", "has no parameter 'c'"),
    "metric": ("$\nmetrics = 'acc'", "metrics: there is no metric 'acc'; the known metrics are"),
    "type of a metric": ("$\nmetrics = ['accuracy', 3]", "metrics holds 3; metrics are needed"),
    "metric without a name": (
        "$\nmetrics = {gamma = 1}",
        "metrics holds a table with 'gamma'; it n",
    ),
    "parameter": ("$\nmetrics={name='focal',g=1}", "metrics: focal has no parameter 'g'; ask for"),
    "parameter of none": (
        "$\nmetrics={name='f1',g=1}",
        "metrics: f1 takes no parameters, but 'f1(g=1",
    ),
    "text parameter": ("$\nmetrics={name='focal',gamma='1'}", "gamma of focal is '1'; a number or"),
    "true parameter": (
        "$\nmetrics={name='focal',gamma=[1,true]}",
        "gamma of focal is true; a numb",
    ),
    "range of a parameter": ("$\nmetrics={name='focal',gamma=-1}", "gamma=-1 is outside [0, 100]"),
    "same law": (
        "population = ['W1', 'uniform_logit']",
        "holds 'uniform_logit' twice, also as 'W1'",
    ),
    "same size": ("$\nn = [100, 1e2]", "n holds 100 twice; give it once"),
    "same size in a text": ("$\nn = '100,1e2'", "n holds '1e2' twice, also as '100'; give it once"),
    "same seed": ("$\nseed = [0, 1, 0]", "seed holds 0 twice; give it once"),
    "same slope": ("$\na = [0, 1, -0.0]", "a holds 0 twice; give it once"),
    "same metric": (
        "$\nmetrics = ['focal', 'focal(2)']",
        "holds 'focal(2)' twice, also as 'focal'",
    ),
    "same file": ("data = ['a.csv', './a.csv']", "holds './a.csv' twice, also as 'a.csv'"),
    "size": ("$\nn = [0, 10]", "n holds 0; a size is a whole number of points"),
    "nan size": ("$\nn = nan", "n holds nan; a size is a whole number of points"),
    "large size": ("$\nn = 1e12", "n: a sample of 1e+12 points would take 14901.2 GiB of memory"),
    "text of a size": ("$\nn = 'many'", "n=many holds 'many', which is not a number"),
    "seed": ("$\nseed = -1", "seed is -1; a whole number from 0 to"),
    "part of a seed": ("$\nseed = [0.5]", "seed is 0.5; a whole number from 0 to"),
    "large number": (f"$\nseed = {'9' * 400}", "seed is 9"),
    "nan slope": ("$\na = [nan]", "a holds nan; every point must be a finite number"),
    "text of slopes": ("$\na = '-5:5'", "a=-5:5 is not of the form LOW:HIGH:COUNT"),
    "both": ("$\ndata = 'a.csv'", "population and data exclude each other; give one"),
    "sizes of data": (
        "data = 'a.csv'\nn = 3",
        "line 2: n is for samples of a population; leave it",
    ),
    "seeds of data": ("data = 'a.csv'\nseed = 0", "seed is for samples of a population; leave"),
    "columns of a law": ("$\nweight = 'w'", "weight names a column of data; leave it out be"),
    "blank file": ("data = ['']", "data holds ''; a file or a list of files is needed"),
    "blank column": ("data = 'a.csv'\nx = ''", "x is ''; the name of a column is needed"),
    "large chunk": ("$\na = '0:1:30000'\nb = '0:1:30000'\ntile = 30000", "would take 20.1 GiB"),
    "many chunks": ("$\na = '0:1:30000'\nb = '0:1:30000'\ntile = 1", "have 900000000 chunks, more"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_text_that_is_not_a_spec_is_refused_with_its_line(read, tmp_path, name):
    text, sentence = BAD[name]
    with pytest.raises(sweep.InputError) as caught:
        read(text.replace("$", 'population = "W1"'))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/s.toml")
    assert sentence in message
    assert "\n" not in message
    assert message.isprintable()


def test_every_key_refuses_a_wrong_type_and_says_what_it_needs():
    for key in KEYS:
        for value in ([[]], {"a": object()}, object()):
            with pytest.raises(sweep.InputError, match=f"^{key} ") as caught:
                sweep.Spec.of(({} if key in TRAINED else LAW) | {key: value})
            assert caught.value.key in (key, f"{key}.a")


FILES = {
    "missing": (lambda path: None, "no such file"),
    "directory": (lambda path: path.mkdir(), "is a directory"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not UTF-8 text"),
    "large": (lambda path: path.write_bytes(b"#" * (toml.MOST_BYTES + 1)), "is larger than 16 MiB"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_a_spec_is_refused(tmp_path, name):
    make, sentence = FILES[name]
    make(tmp_path / "s.toml")
    with pytest.raises(sweep.InputError, match=rf"^{tmp_path}/s\.toml: {sentence}"):
        sweep.Spec.read(tmp_path / "s.toml")
