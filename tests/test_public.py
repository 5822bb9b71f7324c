"""Public functions: their names, what they load, and the wrong arguments that they refuse."""

from tests.support.checkout import loaded_after


def test_computing_loads_no_matplotlib_and_leaves_jax_as_it_is():
    code = (
        "import sweep, jax\n"
        "before = jax.config.values.copy()\n"
        "sample = sweep.data.illustration(1)\n"
        "sweep.landscape(sample, '-1:1:3', '-1:1:3'), sweep.optimum(sample)\n"
        "assert jax.config.values == before"
    )
    assert "matplotlib" not in loaded_after(code)


def test_the_optimum_of_a_file_loads_no_jax(tmp_path):
    (tmp_path / "s.csv").write_text("x,y\n1,0\n2,1\n3,0\n4,1\n")
    code = (
        "import contextlib, io, sweep.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    sweep.cli.main(['optimum', {str(tmp_path / 's.csv')!r}])\n"
        "assert sweep.optima.optimum"
    )
    assert not {"jax", "xarray", "matplotlib"} & loaded_after(code)


def test_functions_keep_their_names_when_modules_of_the_same_name_are_imported():
    loaded_after(
        "import sweep, sweep.landscapes.landscape, sweep.optima.optimum, sweep.figures, sweep.cli\n"
        "assert callable(sweep.landscape) and callable(sweep.optimum)\n"
        "assert callable(sweep.landscapes.landscape) and callable(sweep.optima.optimum)"
    )
    loaded_after(
        "from sweep.figures import landscapes\nimport sweep\nassert callable(sweep.optimum)"
    )


def test_data_of_another_kind_are_refused_with_the_remedy():
    loaded_after(
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
    loaded_after(
        "import sweep\n"
        "try:\n"
        "    sweep.run('spec.toml', 'out')\n"
        "except TypeError as error:\n"
        "    assert 'spec is a str; give sweep.Spec.read(path)' in str(error)\n"
        "else:\n"
        "    raise AssertionError('accepted')"
    )


def test_models_of_another_kind_are_refused_with_the_remedy():
    loaded_after(
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
