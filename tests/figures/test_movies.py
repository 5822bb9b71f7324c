"""Movies: landscapes as n grows, moving paths, and their files."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import sweep
from sweep import InputError, figures
from sweep.base.ranges import size_title
from sweep.figures import movies
from sweep.figures.movies import Movie
from sweep.training.paths.run import paths

SIZES = (20, 200, float("inf"))


@pytest.fixture(scope="module")
def columns():
    columns = []
    for n in SIZES:
        data = sweep.sample("W1", n, 0)
        landscape = sweep.landscape(data, "-5:5:11", "-4:4:9", progress=False)
        columns.append((size_title(n), landscape, sweep.optimum(data)))
    return columns


@pytest.fixture(scope="module")
def result():
    few = sweep.sample("uniform_logit(a=0.3,b=0.5)", 6, 7)
    return paths(few, steps=100, validation=sweep.data.illustration(1), progress=False)


def _panels(movie, count):
    return movie.figure.axes[:count]


# n growing


def test_each_frame_shows_the_landscape_of_its_size_in_the_same_colours(columns):
    movie = figures.growing(columns)
    assert movie.frames == 3
    scales, positions = [], []
    for frame, (title, dataset, best) in enumerate(columns):
        movie.draw(frame)
        ce, accuracy = _panels(movie, 2)
        assert ce.get_title("left") == f"{title}, accuracy lost {best.regret:.2g}"
        for ax, name in ((ce, "cross_entropy"), (accuracy, "accuracy")):
            (mesh,) = ax.collections
            expected = dataset[name].transpose("b", "a").values
            np.testing.assert_array_equal(mesh.get_array().reshape(expected.shape), expected)
        scales.append([ax.collections[0].norm for ax in (ce, accuracy)])
        positions.append([ax.get_position().bounds for ax in (ce, accuracy)])
    assert all(scale == scales[0] for scale in scales)
    assert all(position == positions[0] for position in positions)


def test_the_optimum_leaves_a_trail(columns):
    movie = figures.growing(columns)
    for frame in (2, 0, 1):  # in whatever order
        movie.draw(frame)
        ax = movie.figure.axes[0]
        trails = [line for line in ax.lines if line.get_marker() == "o"]
        optima = [best.cross_entropy for _, _, best in columns[: frame + 1]]
        expected = [(optimum.a, optimum.b) for optimum in optima]
        assert [line.get_xydata().tolist() for line in trails] == (
            [[*map(list, expected)]] * (frame > 0)
        )
        stars = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "*"]
        np.testing.assert_array_equal(stars[-1], expected[-1])
        assert ax.get_xlim() == (-5.5, 5.5)


def test_one_size_or_a_line_is_no_animation(columns):
    with pytest.raises(InputError, match="several sizes"):
        figures.growing(columns[:1])
    lines = [(title, dataset.isel(b=[0]), best) for title, dataset, best in columns]
    with pytest.raises(InputError, match="two slopes a and two intercepts"):
        figures.growing(lines)


# Paths


@pytest.mark.parametrize("validation", [False, True])
def test_paths_are_drawn_as_far_as_they_have_come(result, validation):
    movie = figures.moving(result, validation=validation)
    paths = result.dataset.sel(l2=0)
    last = paths.sizes["step"] - 1
    assert movie.frames == min(60, last + 1)
    for frame, step in ((movie.frames - 1, last), (0, 0)):
        movie.draw(frame)
        for ax in _panels(movie, 2):
            moving = [line for line in ax.lines if line.get_zorder() > 3 and len(line.get_xdata())]
            drawn = [line.get_xydata() for line in moving if line.get_linestyle() == "-"]
            heads = [line.get_xydata() for line in moving if line.get_marker() == "s"]
            expected = [
                path.isel(step=slice(0, step + 1))[["a", "b"]].to_array().values.T
                for _, optimizer in paths.groupby("optimizer")
                for _, path in optimizer.squeeze("optimizer").groupby("start")
            ]
            matched = [xy for xy in drawn if any(_same(xy, path.squeeze()) for path in expected)]
            assert len(matched) == len(heads) == len(expected)
    words = movie.figure.axes[0].get_title("left")
    assert words == "after 0 steps"


def _same(drawn, expected):
    return np.array_equal(drawn, expected.reshape(-1, 2))


def test_what_is_not_there_is_not_animated(result):
    with pytest.raises(InputError, match="no validation data"):
        figures.moving(replace(result, validation=None, validation_planes=()), validation=True)


# Files


@pytest.fixture
def movie():
    """A point that goes from left to right, in 4 frames."""
    figure = figures.sample(sweep.data.illustration(1), sweep.optimum(sweep.data.illustration(1)))
    figure.set_layout_engine("none")
    (ax,) = figure.axes
    (point,) = ax.plot([], [], "o", color="#D55E00", markersize=15)

    def draw(frame):
        point.set_data([-1 + 0.5 * frame], [0.5])

    return Movie(figure, 4, draw, 8, 16)


def test_a_gif_has_all_frames_the_last_one_longest_and_true_colours(movie, tmp_path):
    path = tmp_path / "m.gif"
    figures.write_movie(movie, path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.gif"]
    with Image.open(path) as image:
        assert (image.n_frames, image.info["loop"]) == (4, 0)
        width, height = (movie.figure.get_size_inches() * movies.DPI).astype(int)
        assert image.size == (width, height)
        pauses = []
        for frame in range(4):
            image.seek(frame)
            pauses.append(image.info["duration"])
            shown = np.asarray(image.convert("RGB")).astype(int)
            assert (shown[0, 0] == 255).all()
            movie.draw(frame)
            movie.figure.canvas.draw()
            expected = np.asarray(movie.figure.canvas.buffer_rgba())[..., :3].astype(int)
            assert np.abs(shown - expected).max() < 60
            assert np.abs(shown - expected).mean() < 1
    assert pauses == [120, 120, 120, 2000]  # in hundredths of a second, as GIFs have it


def test_a_gif_takes_room_for_what_changes_only(columns, movie, tmp_path):
    figures.write_movie(movie, tmp_path / "m.gif")
    still = Movie(movie.figure, 2, lambda frame: movie.draw(3 * frame), 8, 1)
    figures.write_movie(still, tmp_path / "two.gif")
    four, two = ((tmp_path / name).stat().st_size for name in ("m.gif", "two.gif"))
    assert four < 1.4 * two


def test_an_interrupt_leaves_no_file(movie, tmp_path):
    def draw(frame):
        if frame == 2:
            raise KeyboardInterrupt

    broken = Movie(movie.figure, 4, draw, 8, 16)
    with pytest.raises(KeyboardInterrupt):
        figures.write_movie(broken, tmp_path / "m.gif")
    assert not list(tmp_path.iterdir())


def _ffmpeg(folder, script):
    """A program of that name, in front of all others."""
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_an_mp4_is_encoded_by_ffmpeg(movie, tmp_path, monkeypatch):
    encoder = 'for last; do :; done; cat > "$last"'  # which keeps the frames as they come
    monkeypatch.setenv("PATH", _ffmpeg(tmp_path / "bin", encoder))
    path = tmp_path / "m.mp4"
    figures.write_movie(movie, path)
    width, height = (movie.figure.get_size_inches() * movies.DPI).astype(int)
    frames = np.fromfile(path, np.uint8).reshape(-1, height // 2 * 2, width // 2 * 2, 4)
    assert len(frames) == 4 + 15
    np.testing.assert_array_equal(frames[3], frames[-1])
    assert (frames[0] != frames[3]).any()


def test_an_ffmpeg_that_fails_or_is_missing_is_told_of(movie, tmp_path, monkeypatch):
    path = tmp_path / "m.mp4"
    monkeypatch.setenv("PATH", _ffmpeg(tmp_path / "bin", "cat > /dev/null; exit 3"))
    with pytest.raises(InputError, match=r"m.mp4: ffmpeg failed \(exit code 3\)"):
        figures.write_movie(movie, path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="the program ffmpeg, which is not found"):
        figures.write_movie(movie, path)
    assert [file.name for file in tmp_path.iterdir()] == ["bin"]


# The command line


def test_a_landscape_is_animated_over_its_sizes(run, tmp_path):
    law = ("landscape", "--population=W1", "--n=20,200", "--a=-5:5:11", "--b=-4:4:9", "--quiet")
    code, out, _ = run(*law, "--animation", "n.gif")
    assert code == 0
    assert out.endswith("written: n.gif\n")
    with Image.open(tmp_path / "n.gif") as image:
        assert image.n_frames == 2


def test_paths_are_animated(run, tmp_path, monkeypatch):
    monkeypatch.setattr(movies, "MOST_FRAMES", 3)
    options = ("--illustration=1", "--steps=100", "--l2=0", "--optimizer=sgd", "--quiet")
    code, out, _ = run("train", "paths", *options, "--animation", "p.gif")
    assert code == 0
    assert out.endswith("written: p.gif\n")
    with Image.open(tmp_path / "p.gif") as image:
        assert image.n_frames == 3


LAW = ("landscape", "--population=W1")
REFUSED = {
    "one size": (2, (*LAW, "--n=10", "--animation=m.gif"), "shows n growing"),
    "a file": (2, ("landscape", "d.csv", "--animation=m.gif"), "shows n growing"),
    "a line": (2, (*LAW, "--n=10,20", "--a=1", "--animation=m.gif"), "two slopes --a"),
    "format": (1, (*LAW, "--n=10,20", "--animation=m.avi"), "use .gif or .mp4"),
    "folder": (1, (*LAW, "--n=10,20", "--animation=no/m.gif"), "there is no directory no"),
    "twice": (
        1,
        (*LAW, "--n=10,20", "--figure=m.png", "--animation=m.png"),
        "no such format of animations",
    ),
    "paths": (1, ("train", "paths", "--animation=m.avi", "--out", "new"), "use .gif or .mp4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_animated_is_refused_beforehand(refused, name):
    code, arguments, sentence = REFUSED[name]
    assert sentence in refused(code, *arguments)
