"""What holds for the code as a whole: imports go one way, and nothing loads what it need not."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sweep.distributions
import sweep.page
import sweep.study

import sweep
import sweep.bench
import sweep.cli
import sweep.diagnosis
import sweep.figures
import sweep.populations
import sweep.runs
from sweep.diagnosis.findings.rules import CODES

PACKAGE = Path(sweep.__file__).parent
ROOT = PACKAGE.parent


def _listed(package):
    """The modules of a package as its docstring lists them."""
    return re.findall(r"^    (\w+) +\S", package.__doc__, re.MULTILINE)


ORDER = _listed(sweep)
PACKAGES = [
    sys.modules[f"sweep.{name}"]
    for name in (
        "distributions",
        "populations",
        "runs",
        "bench",
        "study",
        "diagnosis",
        "figures",
        "page",
        "cli",
    )
]
"""From where modules are, for `sweep.study` is the function."""
INNER = {
    (package.__name__.removeprefix("sweep."), module): _listed(package)
    for package in PACKAGES
    for module in _listed(package)
}
"""The modules of each package, by package and module."""


def _imported(path):
    """Names of the package's modules that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sweep":
            inner = node.module.removeprefix("sweep").removeprefix(".")
            yield from (f"{inner}.{a.name}".lstrip(".") for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name[6:] for a in node.names if a.name.startswith("sweep."))


def _modules_of(package):
    folder = Path(package.__file__).parent
    return {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }


def test_every_module_has_its_place():
    assert _modules_of(sweep) - {"__init__"} == set(ORDER)
    for package in PACKAGES:
        assert _modules_of(package) - {"__init__", "__main__"} == set(_listed(package))


@pytest.mark.parametrize("module", ORDER)
def test_imports_only_go_down_the_list(module):
    allowed = set(ORDER[: ORDER.index(module)])
    path = PACKAGE / module
    for file in path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
        imported = {name.split(".")[0] for name in _imported(file)} & set(ORDER)
        assert imported - {module} <= allowed, file


@pytest.mark.parametrize(("package", "module"), INNER)
def test_imports_of_a_package_go_down_its_list(package, module):
    order = INNER[package, module]
    path = PACKAGE / package / f"{module}.py"
    inner = [name for name in _imported(path) if name.startswith(f"{package}.")]
    assert {name.split(".")[1] for name in inner} <= set(order[: order.index(module)])


def test_only_figures_imports_matplotlib_and_only_the_cli_prints():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(PACKAGE).parts[0]
        draws = "import matplotlib" in text or "from matplotlib" in text
        assert place == "figures" or not draws, path
        called = {
            getattr(n.func, "id", "") for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)
        }
        assert place == "cli" or "print" not in called, path
        assert "jax._src" not in text


def _loaded_after(code):
    """Top-level modules that a fresh interpreter has loaded after running some code."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = {"jax", "jaxlib", "scipy", "xarray", "pandas", "matplotlib", "plotly", "pyarrow", "zarr"}
HEAVY |= {"netCDF4", "tomllib", "dask", "distributed"}


def test_importing_the_package_loads_nothing_heavy():
    assert not HEAVY & _loaded_after("import sweep")
    assert "cyclopts" not in _loaded_after("import sweep")


def test_help_loads_nothing_heavy():
    code = (
        "import contextlib, io, sweep.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    sweep.cli.main(['--help'])"
    )
    loaded = _loaded_after(code)
    assert not HEAVY & loaded
    light = {"sweep.training", "sweep.training.run"}  # which `sweep` names; networks take longer
    assert {name for name in loaded if name.startswith("sweep.training")} == light
    assert not {"sweep.runs.networks", "sweep.runs.trainings", "sweep.experiments"} & loaded


def test_computing_loads_no_matplotlib_and_leaves_jax_as_it_is():
    code = (
        "import sweep, jax\n"
        "before = jax.config.values.copy()\n"
        "sample = sweep.data.illustration(1)\n"
        "sweep.landscape(sample, '-1:1:3', '-1:1:3'), sweep.optimum(sample)\n"
        "assert jax.config.values == before"
    )
    assert "matplotlib" not in _loaded_after(code)


def test_functions_keep_their_names_when_modules_of_the_same_name_are_imported():
    _loaded_after(
        "import sweep, sweep.landscape, sweep.optimum, sweep.figures, sweep.cli\n"
        "assert callable(sweep.landscape) and callable(sweep.optimum)"
    )
    _loaded_after(
        "from sweep.figures import landscapes\nimport sweep\nassert callable(sweep.optimum)"
    )


def test_data_of_another_kind_are_refused_with_the_remedy():
    _loaded_after(
        "import sweep\n"
        "for function in (sweep.optimum, sweep.landscape):\n"
        "    try:\n"
        "        function([1, 2, 3])\n"
        "    except TypeError as error:\n"
        "        assert 'data is a list; give sweep.Sample(x, y)' in str(error)\n"
        "    else:\n"
        "        raise AssertionError('accepted')"
    )


def test_a_spec_of_another_kind_is_refused_with_the_remedy():
    _loaded_after(
        "import sweep\n"
        "try:\n"
        "    sweep.run('spec.toml', 'out')\n"
        "except TypeError as error:\n"
        "    assert 'spec is a str; give sweep.Spec.read(path)' in str(error)\n"
        "else:\n"
        "    raise AssertionError('accepted')"
    )


def test_models_of_another_kind_are_refused_with_the_remedy():
    _loaded_after(
        "import sweep\n"
        "bad = {\n"
        "    'logit is a int; a function is needed': (3, 0.0, (1.0, 1.0)),\n"
        "    'directions must be a tuple of two trees': (print, 0.0, 1.0),\n"
        "}\n"
        "for sentence, arguments in bad.items():\n"
        "    try:\n"
        "        sweep.Slice(*arguments)\n"
        "    except sweep.InputError as error:\n"
        "        assert sentence in str(error)\n"
        "    else:\n"
        "        raise AssertionError('accepted')\n"
        "try:\n"
        "    sweep.landscape(([1.0], [1]), model=lambda params, x: x)\n"
        "except sweep.InputError as error:\n"
        "    assert 'model is a function; give sweep.Slice' in str(error)\n"
        "else:\n"
        "    raise AssertionError('accepted')"
    )


def test_python_of_the_readme_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 9
    # Each by itself, but in one process: they compile the same code.
    _loaded_after("\n".join(f"exec({block!r}, {{'__name__': '__main__'}})" for block in blocks))


def test_the_readme_has_the_laws_of_the_catalogue_and_whether_they_share():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([WMDS]\d) \| `(.*?)` \|.*\| (yes|no) \|", readme, re.MULTILINE)
    catalogue = sweep.populations.CATALOGUE
    assert [key for key, *_ in rows] == list(catalogue)
    for key, asked, shared in rows:
        assert sweep.populations.population(asked).name == catalogue[key].name
        assert (shared == "yes") is sweep.optimum(catalogue[key]).shared


def test_the_readme_has_every_code_of_a_finding():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| code | says |")[1].split("\n\n")[0]
    codes = [code for line in table.splitlines() for code in re.findall("`([a-z_]+)`", line)]
    assert sorted(codes) == sorted(CODES)


def test_ci_runs_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    (test,) = (line for line in commands if line.endswith("pytest"))
    assert f"\n{test}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_top_level_holds_what_it_should():
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if tracked.returncode:  # not a checkout
        return
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    expected = {"pyproject.toml", "README.md", "sweep", "benchmarks", "tests", "figures"}
    assert {name for name in top if not name.startswith(".")} == expected
