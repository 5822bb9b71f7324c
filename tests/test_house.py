"""The rules of the house: which package may import which, and what must not be loaded early."""

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

import sweep
from sweep.diagnosis.findings.rules import CODES
from tests.support.checkout import ROOT, loaded_after

PACKAGE = Path(sweep.__file__).parent

FLOORS = (
    ("base",),
    ("metrics", "cluster"),
    ("data",),
    ("populations",),
    ("measure",),
    ("landscapes", "optima"),
    ("asymptotics", "diagnosis"),
    ("training",),
    ("runs", "figures", "report"),
    ("benchmark",),
    ("cli",),
)
"""Packages from the ground up; each imports only from lower floors."""

FLOOR = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}

UPWARD = {("data/predictions.py", "sweep.measure.measure")}
"""Imports from a higher floor: only in the body of a method of convenience, and for its type."""

FILES = sorted(PACKAGE.rglob("*.py"))


def _trees():
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _package_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(tree):
    """(module, name) of everything that a module imports from the package, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sweep":
            yield from ((node.module, alias.name) for alias in node.names)


def test_packages_are_those_of_the_list():
    inside = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir()}
    assert inside - {"__init__", "__main__", "__pycache__", "py", "README"} == set(FLOOR)


def test_packages_import_only_from_lower_floors():
    for path, tree in _trees():
        here = _package_of(path)
        for module, name in _imports(tree):
            there = f"{module}.{name}".split(".")[1]
            if (str(path.relative_to(PACKAGE)), module) in UPWARD:
                continue
            if here in FLOOR and there in FLOOR and there != here:
                assert FLOOR[there] < FLOOR[here], f"{path}: {module} {name}"


def _defined(path):
    """Names that a module or the face of a package defines."""
    stub = path.with_suffix(".pyi")
    for node in ast.parse((stub if stub.exists() else path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (n for target in targets for n in ast.walk(target))
            yield from (n.id for n in names if isinstance(n, ast.Name))
        elif isinstance(node, ast.ImportFrom) and path.stem == "__init__":
            yield from (alias.name for alias in node.names)


def test_names_come_from_where_they_are_defined_or_from_a_face():
    defined = {}
    for path in FILES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        defined[".".join(p for p in parts if p != "__init__")] = set(_defined(path))
    for path, tree in _trees():
        for module, name in _imports(tree):
            known = name in defined[module] or f"{module}.{name}" in defined
            assert known or (module, name) == ("sweep", "__version__"), f"{path}: {module} {name}"


def test_every_name_of_every_face_is_there():
    for path in PACKAGE.rglob("__init__.pyi"):
        parts = path.parent.relative_to(PACKAGE.parent).parts
        face = importlib.import_module(".".join(parts))
        listed = set(_defined(path.with_suffix(".py"))) - {"__version__"}
        assert set(dir(face)) == listed
        for name in listed:
            getattr(face, name)


def test_only_figures_imports_matplotlib_and_only_the_cli_prints():
    for path, tree in _trees():
        modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        modules += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
        draws = any(module.split(".")[0] == "matplotlib" for module in modules)
        assert not draws or _package_of(path) == "figures", path
        called = {getattr(n.func, "id", "") for n in ast.walk(tree) if isinstance(n, ast.Call)}
        assert "print" not in called or _package_of(path) == "cli", path
        assert "jax._src" not in path.read_text(encoding="utf-8"), path


def test_imports_stand_at_the_top_or_say_why_not():
    for path, tree in _trees():
        lines = path.read_text(encoding="utf-8").splitlines()
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        near = "".join(lines[node.lineno - 2 : node.end_lineno])
                        assert "#" in near, f"{path}:{node.lineno}: an import without its reason"


def test_no_two_classes_share_a_name():
    seen = {}
    for path, tree in _trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert node.name not in seen, f"{node.name}: {path} and {seen[node.name]}"
                seen[node.name] = path


def test_tests_mirror_the_package():
    for path in (ROOT / "tests").iterdir():
        if path.is_dir() and path.name not in {"__pycache__", "reference", "support"}:
            assert path.name in FLOOR


HEAVY = {
    "dask", "distributed", "jax", "jaxlib", "matplotlib", "netCDF4", "numpy", "pandas", "plotly",
    "pyarrow", "scipy", "tomllib", "xarray", "zarr",
}  # fmt: skip


def test_importing_the_package_loads_nothing_heavy():
    assert not (HEAVY | {"cyclopts"}) & loaded_after("import sweep")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_nothing_heavy(option):
    code = (
        "import contextlib, io, sweep.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    sweep.cli.main([{option!r}])"
    )
    loaded = loaded_after(code)
    assert not HEAVY & loaded
    assert {name.split(".")[1] for name in loaded if name.startswith("sweep.")} <= {"base", "cli"}


READMES = [path for path in sorted(ROOT.rglob("README.md")) if ".venv" not in path.parts]


def test_python_of_the_readmes_runs():
    code = []
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), 1):
            name = f"{readme.relative_to(ROOT)}, block {number}"
            code.append(f"exec(compile({block!r}, {name!r}, 'exec'), {{'__name__': '__main__'}})")
    assert len(code) == 11
    loaded_after("\n".join(code))  # each by itself, but in one process: they compile the same code


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_links_of_the_readmes_lead_somewhere(readme):
    for target in re.findall(r"\]\(([^)#]+)", readme.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (readme.parent / target).exists(), target


def test_the_readme_is_a_door():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def _everything_written():
    return "\n".join(path.read_text(encoding="utf-8") for path in READMES)


def test_the_readmes_have_the_laws_of_the_catalogue_and_whether_they_share():
    rows = re.findall(
        r"^\| ([WMDS]\d) \| `(.*?)` \|.*\| (yes|no) \|", _everything_written(), re.MULTILINE
    )
    catalogue = sweep.populations.CATALOGUE
    assert [key for key, *_ in rows] == list(catalogue)
    for key, asked, shared in rows:
        assert sweep.populations.population(asked).name == catalogue[key].name
        assert (shared == "yes") is sweep.optimum(catalogue[key]).shared


def test_the_readmes_have_every_code_of_a_finding():
    table = _everything_written().split("| code | ")[1].split("\n\n")[0]
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
