import pytest
from matplotlib.image import imread

from sweep import InputError, figures


def test_figures_are_written_whole_and_the_same_each_time(first, tmp_path):
    for name in ("one.png", "two.png", "three.pdf", "four.svg"):
        figures.write(figures.sample(first.sample, first.optimum), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    height, width, _ = imread(tmp_path / "one.png").shape
    assert (width, height) == (700, 520)
    assert len(list(tmp_path.iterdir())) == 4


def test_unknown_formats_are_refused(first, tmp_path):
    with pytest.raises(InputError, match="no such figure format"):
        figures.write(figures.sample(first.sample, first.optimum), tmp_path / "f.xyz")
