from pathlib import Path

import sweep
from sweep.base.provenance import SHOWING


def test_modules_without_influence_on_results_exist():
    root = Path(sweep.__file__).parent
    for name in SHOWING:
        assert (root / name).is_dir() or (root / f"{name}.py").is_file(), name
