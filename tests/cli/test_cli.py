import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.metrics.metrics import METRICS
from tests.support.oracle import untimed

ILLUSTRATION = str(Path(sweep.__file__).parent / "data" / "illustrations" / "illustration2.csv")
COMMAND = [sys.executable, "-c", "from sweep.cli import main; main()"]


def test_illustrate_prints_published_beside_computed_and_writes_figures(run, tmp_path):
    code, out, err = run("illustrate", "--out", "f")
    assert (code, err) == (0, "")
    assert "DIFFERS" not in out
    row = next(line for line in out.splitlines() if "slope a of least cross-entropy" in line)
    assert row.split()[-3:] == ["1.27", "1.268050899", "1.268050899"]
    assert "cuts in (-0.3, 0], class 1 above" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    names = {path.name for path in (tmp_path / "f").iterdir()}
    parts = ("sample", "slices", "landscapes", "cells")
    expected = {f"illustration{k}_{part}.png" for k in (1, 2, 3) for part in parts}
    assert names == expected | {"illustrations.png"}


def test_illustrate_one_as_json(run, tmp_path):
    code, out, _ = run("illustrate", 1, "--json")
    document = json.loads(out)
    assert code == 0
    (first,) = document["illustrations"]
    assert all(row["agrees"] for row in first["comparisons"])
    assert first["optimum"]["accuracy"]["cuts"] == [[-0.3, 0, 1], [0.9, 1, 1]]
    assert all(Path(path).exists() for path in first["figures"])
    assert len(list((tmp_path / "illustrations").iterdir())) == 4


def test_illustrate_overwrites_only_by_force(run, refused):
    assert run("illustrate", 1)[0] == 0
    assert "exists already; it is overwritten only with --force" in refused(1, "illustrate", 1)
    assert run("illustrate", 1, "--force")[0] == 0


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_landscape_writes_what_the_api_returns(run, suffix):
    options = ("--a=0:10:5", "--b", "-5:5:3", "--out", f"r{suffix}", "--figure", "f.png")
    code, out, err = run("landscape", ILLUSTRATION, *options)
    assert (code, err) == (0, "")
    assert "100 points\n  5 x 3 cells" in out
    assert f"written: r{suffix}" in out
    read = xr.open_dataset if suffix == ".nc" else xr.open_zarr
    expected = sweep.landscape(sweep.data.load(ILLUSTRATION), "0:10:5", "-5:5:3")
    with read(f"r{suffix}") as loaded:
        xr.testing.assert_identical(untimed(loaded.load()), untimed(expected))
    assert Path("f.png").stat().st_size > 10_000


def test_landscape_as_json_is_one_document(run):
    code, out, err = run(
        "landscape", ILLUSTRATION, "--a=1", "--b=-1:1:2", "--metric", "accuracy", "--json"
    )
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["coords"]["b"]["data"] == [-1, 1]
    expected = sweep.landscape(sweep.data.load(ILLUSTRATION), 1, [-1, 1], "accuracy")
    assert document["data_vars"]["correct"]["data"] == expected.correct.values.tolist()
    assert "cross_entropy" not in document["data_vars"]


def test_landscape_takes_metrics_with_parameters(run, tmp_path):
    options = ("--a=-1:1:3", "--b=0,1", "--out", "l.nc", "--figure", "f.png")
    metrics = ("--metric", "focal(3)", "mcc", "weighted_cross_entropy(w1=5,w0=1)")
    code, out, err = run("landscape", ILLUSTRATION, *metrics, *options)
    assert (code, err) == (0, "")
    assert re.search(r"\n  lowest focal\(gamma=3\) +0\.", out)
    with xr.open_dataset(tmp_path / "l.nc") as saved:
        names = ["focal(gamma=3)", "mcc", "weighted_cross_entropy(w0=1,w1=5)"]
        assert list(saved.data_vars) == names


def test_help_lists_every_metric(run):
    _, out, _ = run("landscape", "--help")
    for name in METRICS:
        assert name in out


def test_landscape_takes_several_metrics_after_one_option(run):
    options = ("--metric", "cross_entropy", "accuracy", "--a=1", "--b=0", "--json")
    _, out, _ = run("landscape", ILLUSTRATION, *options)
    assert set(json.loads(out)["data_vars"]) == {"cross_entropy", "accuracy", "correct"}


def test_axes_that_start_with_a_minus_need_no_equals_sign(run):
    code, out, _ = run("landscape", ILLUSTRATION, "--a", "-5:5:3", "--b", "-0.5", "--json")
    assert code == 0
    assert json.loads(out)["coords"]["a"]["data"] == [-5, 0, 5]


def test_optimum_in_words_and_as_json(run):
    code, out, err = run("optimum", ILLUSTRATION, "--figure", "f.pdf", "--out", "o.json")
    assert (code, err) == (0, "")
    assert "lowest cross-entropy  0.640679502076 nats" in out
    assert "a = 0.954532663469, b = 0.41801301739" in out
    assert "highest accuracy      0.68 (68 correct)" in out
    assert "They do not share an optimum" in out
    assert max(len(line) for line in out.splitlines()[1:]) <= 80
    assert Path("f.pdf").read_bytes().startswith(b"%PDF")
    expected = sweep.optimum(sweep.data.load(ILLUSTRATION)).to_dict()
    assert json.loads(Path("o.json").read_text()) == expected
    _, out, _ = run("optimum", ILLUSTRATION, "--json")
    assert json.loads(out) == expected


def test_optimum_of_separated_data_is_a_sentence_not_a_number(run, tmp_path):
    (tmp_path / "s.csv").write_text("x,y\n1,0\n2,1\n")
    code, out, _ = run("optimum", "s.csv")
    assert code == 0
    assert "completely separated" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    document = json.loads(run("optimum", "s.csv", "--json")[1])
    assert document["cross_entropy"]["a"] is None
    assert document["shared"] is None


def test_columns_have_other_names(run, tmp_path):
    (tmp_path / "s.csv").write_text("score,label,w\n1,0,2\n2,1,1\n0,1,1\n")
    code, out, _ = run(
        "optimum", "s.csv", "--x", "score", "--y", "label", "--weight", "w", "--json"
    )
    assert code == 0
    assert json.loads(out)["n"] == 3


BAD_FILES = {
    "header only": ("x,y\n", "s.csv: has no rows"),
    "text": ("x,y\n1,0\nabc,1\n", "s.csv: 'x' in row 2 is 'abc', which is not a number"),
    "nan": ("x,y\n1,0\nnan,1\n", "'x' in row 2 is nan"),
    "label": ("x,y\n1,2\n", "'y' in row 1 is 2, which is outside [0, 1]"),
    "weight": ("x,y,weight\n1,0,-1\n", "'weight' in row 1 is -1, which is negative"),
    "weights": ("x,y,weight\n1,0,0\n", "every weight is 0"),
    "no column": ("a,y\n1,0\n", "has no column 'x'"),
    "not a CSV": (b"\x89PNG\r\n\x1a\n\xff\xfe\x00\x01", "s.csv"),
}


@pytest.mark.parametrize("command", ["landscape", "optimum"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused(refused, tmp_path, command, name):
    content, sentence = BAD_FILES[name]
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "s.csv").write_bytes(data)
    outputs = ["--out", "r.nc"] if command == "landscape" else ["--out", "r.json"]
    assert sentence in refused(1, command, "s.csv", *outputs, "--figure", "f.png")


@pytest.mark.parametrize("command", ["landscape", "optimum"])
def test_missing_files_and_directories_are_refused(refused, command):
    assert "missing.csv: no such file" in refused(1, command, "missing.csv")
    assert "is a directory" in refused(1, command, ".")


BAD_USAGE = {
    "no points": (["--a=5:1:0"], "--a=5:1:0 asks for 0 points"),
    "words": (["--a=x:y:3"], "--a=x:y:3 holds 'x', which is not a number"),
    "two parts": (["--b=0:1"], "--b=0:1 is not of the form LOW:HIGH:COUNT"),
    "nan": (["--a=nan:1:3"], "must be a finite number"),
    "inf": (["--b=0:inf:3"], "must be a finite number"),
    "metric with a bad parameter": (
        ["--metric", "focal(-1)"],
        "--metric: gamma=-1 is outside [0, 100]; ask for focal(gamma=2)",
    ),
    "metric": (["--metric", "f0"], "the known metrics are cross_entropy, accuracy"),
    "tolerance": (["--tolerance", "small"], "tolerance"),
    "option": (["--no-such-option"], "--no-such-option"),
    "method": (["--method", "magic"], "--method"),
    "dtype": (["--dtype", "int8"], "--dtype"),
}


@pytest.mark.parametrize("name", BAD_USAGE)
def test_wrong_usage_exits_with_2(refused, name):
    options, sentence = BAD_USAGE[name]
    error = refused(2, "landscape", ILLUSTRATION, *options, "--out", "r.nc")
    assert sentence in error


@pytest.mark.parametrize(
    "arguments", [["landscape"], ["optimum"], ["no-such-command"], ["illustrate", "4"]]
)
def test_missing_or_unknown_arguments_exit_with_2(refused, arguments):
    refused(2, *arguments)


def test_options_out_of_range_name_the_option(refused):
    assert "--memory=-5: at least" in refused(2, "landscape", ILLUSTRATION, "--memory", "-5")
    assert "--tolerance=0: a positive" in refused(2, "landscape", ILLUSTRATION, "--tolerance", "0")


def test_csv_is_read_from_a_pipe_too():
    done = subprocess.run(
        [*COMMAND, "optimum", "/dev/stdin", "--json"],
        input="x,y\n0,0\n1,1\n2,0\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["n"] == 3


def test_intervals_are_printed_with_digits_that_tell_their_ends_apart(run, tmp_path):
    (tmp_path / "s.csv").write_text("x,y\n1000000.1201,0\n1000000.1202,1\n")
    assert "cuts in (1000000.1201, 1000000.1202" in run("optimum", "s.csv")[1]


@pytest.mark.parametrize("platform", ["cuda", "nonsense"])
def test_a_device_that_is_not_there_is_one_sentence(platform):
    done = subprocess.run(
        [*COMMAND, "landscape", ILLUSTRATION, "--a=1", "--b=0"],
        env=os.environ | {"JAX_PLATFORMS": platform, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:  # a machine that has one
        assert platform == "cuda"
        return
    assert done.returncode == 1
    assert f"JAX has no device of the platform '{platform}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_or_narrow_standard_output_is_no_error(tmp_path):
    name = tmp_path / "ü.csv"
    name.write_text("x,y\n0,0\n1,1\n2,0\n")
    closed = f"{sys.executable} -m sweep optimum '{name}' >&-"
    done = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        [*COMMAND, "optimum", name],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\\xfc.csv: 3 points" in " ".join(done.stdout.split())


def test_data_are_not_overwritten_by_force(refused, tmp_path):
    rows = "x,y\n0,1\n1,0\n2,1\n"
    (tmp_path / "s.csv").write_text(rows)
    (tmp_path / "link.csv").symlink_to("s.csv")
    for name in ("s.csv", "./s.csv", "link.csv"):
        assert "holds the data" in refused(1, "optimum", "s.csv", "--out", name, "--force")
    assert "both the result and the figure" in refused(
        1, "optimum", "s.csv", "--out", "o.svg", "--figure", "o.svg"
    )
    assert (tmp_path / "s.csv").read_text() == rows


def test_a_grid_beyond_memory_says_how_much_it_would_take(refused):
    error = refused(1, "landscape", ILLUSTRATION, "--a=0:1:31623", "--b=0:1:31623")
    assert "1e+09 cells would take 22.4 GiB" in error
    assert "7.5 GiB" in refused(1, "landscape", ILLUSTRATION, "--a=0:1:1000000000")


def test_outputs_that_cannot_be_written_are_refused_before_the_work(refused, tmp_path):
    (tmp_path / "there.nc").write_text("precious")
    (tmp_path / "folder").mkdir()
    for options, sentence in (
        (["--out", "there.nc"], "exists already"),
        (["--out", "missing/r.nc"], "there is no directory missing"),
        (["--out", "there.nc/r.nc"], "is not a directory"),
        (["--out", "r.csv"], "results are written as .nc or .zarr"),
        (["--figure", "f.xyz"], "no such figure format"),
        (["--figure", "missing/f.png"], "there is no directory missing"),
    ):
        assert sentence in refused(1, "landscape", ILLUSTRATION, *options)
    assert "is a directory" in refused(1, "optimum", ILLUSTRATION, "--out", "folder", "--force")
    (tmp_path / "s.zarr").mkdir()
    assert "is a directory" in refused(1, "landscape", ILLUSTRATION, "--out=s.zarr", "--force")
    assert (tmp_path / "there.nc").read_text() == "precious"
    assert "there.nc/x: cannot be made (Not a directory)" in refused(
        1, "illustrate", 1, "--out", "there.nc/x"
    )


@pytest.mark.parametrize("name", ["r.nc", "r.zarr", "f.png"])
def test_a_full_disk_is_one_sentence(tmp_path, name):
    option = "--figure" if name == "f.png" else "--out"
    # Files of this process may not grow beyond 4 KiB, nor may it be killed for trying.
    full = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from sweep.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", full, "landscape", ILLUSTRATION, option, name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"sweep: {name}: cannot be written (")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_tolerance_that_cannot_be_met_is_refused(refused):
    error = refused(1, "landscape", ILLUSTRATION, "--dtype", "float32")
    assert "cannot be promised in float32" in error


def test_help_and_version(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert all(name in out for name in ("diagnose", "landscape", "optimum", "study"))
    assert run()[1] == out
    for name in ("diagnose", "illustrate", "landscape", "optimum", "study"):
        code, out, _ = run(name, "--help")
        assert code == 0
        assert "--json" in out
        assert max(len(line) for line in out.splitlines()) <= 80
    assert run("--version")[1].strip() == sweep.__version__


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "s.npy", np.column_stack([rng.normal(size=10**6), np.arange(10**6) % 2]))
    options = ["--a=-5:5:500", "--b=-5:5:500", "--out", "r.nc", "--figure", "f.png"]
    options += ["--method", "direct"]
    process = subprocess.Popen(
        [*COMMAND, "landscape", "s.npy", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)  # in the midst of minutes of work
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "sweep: interrupted; nothing was left half-written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["s.npy"]


def test_standard_output_that_is_full_is_one_sentence():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "optimum", ILLUSTRATION],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "sweep: standard output: No space left on device\n",
    )


def test_a_reader_that_stops_reading_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "optimum", ILLUSTRATION, "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""


INTERRUPTED = """
import signal, sys

def interrupt(frame, event, value):
    if event.endswith("return") and frame.f_code.co_name == "backend_compile_and_load":
        sys.setprofile(None)
        signal.raise_signal(signal.SIGINT)

sys.setprofile(interrupt)
"""


def test_an_interrupt_while_something_is_compiled_ends_the_process_in_order(tmp_path):
    done = subprocess.run(
        [*COMMAND[:2], INTERRUPTED + COMMAND[2], "landscape", ILLUSTRATION, "--out", "r.nc"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    sentence = "sweep: interrupted; nothing was left half-written\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", sentence)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_of_a_process_that_is_done_says_nothing():
    late = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    done = subprocess.run(
        [*COMMAND[:2], f"{late}; {COMMAND[2]}", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, sweep.__version__, "")


def test_an_interrupt_that_python_would_drop_comes_again(run, monkeypatch):
    class Deaf:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.0)  # where the handler runs

    def optimum(data):
        Deaf()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            time.sleep(0.001)

    monkeypatch.setattr(sweep, "optimum", optimum)
    Path("xy.csv").write_text("x,y\n0,0\n1,1\n")
    assert run("optimum", "xy.csv") == (
        130,
        "",
        "sweep: interrupted; nothing was left half-written\n",
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
