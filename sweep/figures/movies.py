"""Movies: landscapes as n grows, paths that move on landscapes, and their files (GIF or MP4)."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.animation import FFMpegWriter, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from PIL import Image

from sweep.base.errors import InputError
from sweep.base.files import staged
from sweep.base.progress import bar
from sweep.figures.optima import STAR, optimum_legend
from sweep.figures.planes import draw_landscape, metric_names, norm_of
from sweep.figures.style import CE_COLOUR, STYLE, in_style, kept_limits, legend_above
from sweep.figures.trajectories import (
    COLOURS,
    METRICS,
    START,
    draw_paths,
    first_rate,
    landscapes,
    path_looks,
)
from sweep.landscapes.stack import evenly_spaced
from sweep.optima.records import CrossEntropyOptimum, Optimum
from sweep.training.paths.run import Paths

if TYPE_CHECKING:  # xarray takes 0.3 s to load
    import xarray as xr

PATHS_RATE = 8  # frames a second of moving paths
SIZES_RATE = 3  # sizes n a second
HOLD_SECONDS = 2  # how long the last frame stays
MOST_FRAMES = 60  # of a moving path

TRAIL: dict[str, Any] = {  # the optima at the smaller sizes
    "color": CE_COLOUR, "linewidth": 1, "marker": "o", "markersize": 2.5, "zorder": 4,
    "path_effects": [Stroke(linewidth=2, foreground="white"), Normal()],
}  # fmt: skip

FORMATS = (".gif", ".mp4")  # suffixes of the formats that `write_movie` writes
DPI = 100  # pixels an inch: movies are for screens, not printers

# A GIF has 256 colours, the same in all frames here, and one must be free for unchanged pixels.
FREQUENT, RARE = 200, 40  # colours for areas, and for small things such as a star
NEARLY_WHITE = 240  # a colour that is this light in all channels would show as tinted paper


@dataclass(frozen=True, eq=False)
class Movie:
    """A figure that is drawn anew for each frame."""

    figure: Figure
    frames: int
    draw: Callable[[int], None]  # makes the figure show a frame, from 0, whatever it showed before
    rate: int  # frames a second
    hold: int  # number of frames for which the last one stays


# --- landscapes and paths -----------------------------------------------------------------------


@in_style
def growing(columns: Sequence[tuple[str, xr.Dataset, Optimum]]) -> Movie:
    """The landscapes of one law as n grows: one frame for each size, on one colour scale.

    Args:
        columns: (title, landscape, optimum) of each size, as `figures.small_multiples` takes them.

    Raises:
        InputError: there are fewer than two sizes, or an axis of fewer than two points.
    """
    if len(columns) < 2:
        raise InputError(f"an animation needs several sizes n, not {len(columns)}")
    first = columns[0][1]
    if min(first.sizes["a"], first.sizes["b"]) < 2:
        raise InputError("an animation needs at least two slopes a and two intercepts b")
    names = metric_names(first)
    norms = {name: norm_of([dataset[name] for _, dataset, _ in columns]) for name in names}
    figure = Figure(figsize=(3.5 * len(names), 3.9))
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for ax, name in zip(axes, names, strict=True):
        draw_landscape(ax, first[name], columns[0][2], norms[name], bar="bottom")
    legend = optimum_legend([(axes[0], best) for _, _, best in columns])
    legend_above(figure, legend | {"at smaller n": TRAIL}, columns=3)
    _fix(figure, axes[0])

    def draw(frame: int) -> None:
        title, dataset, best = columns[frame]
        for ax, name in zip(axes, names, strict=True):
            ax.clear()
            draw_landscape(ax, dataset[name], best, norms[name])
            _draw_trail(ax, [past.cross_entropy for _, _, past in columns[: frame + 1]])
        axes[0].set_title(f"{title}, accuracy lost {best.regret:.2g}", loc="left")

    return Movie(figure, len(columns), draw, SIZES_RATE, HOLD_SECONDS * SIZES_RATE)


@in_style
def moving(result: Paths, *, validation: bool = False) -> Movie:
    """Paths without a penalty, or with the smallest one, as they move.

    Args:
        result: the paths; of several learning rates the first is drawn.
        validation: whether to draw on the landscapes of the validation data instead of those of the
            training data.

    Raises:
        InputError: there are no validation data.
    """
    best, planes = landscapes(result, validation=validation)
    penalty = int(np.argmin([target.l2 for target in result.targets]))
    paths = first_rate(result).isel(l2=penalty)
    steps = evenly_spaced(range(paths.sizes["step"]), MOST_FRAMES)
    figure = Figure(figsize=(7, 4.1))
    axes, lines = figure.subplots(1, 2), []
    for ax, name in zip(axes, METRICS, strict=True):
        draw_landscape(ax, planes[penalty][name], best, bar="bottom")
        lines += [draw_paths(ax, paths)]
    legend = path_looks(result, COLOURS) | {"start": START} | optimum_legend([(axes[0], best)])
    legend_above(figure, legend, columns=3)
    _fix(figure, axes[0])

    def draw(frame: int) -> None:
        until = paths.isel(step=slice(0, steps[frame] + 1))
        a, b = (until[name].transpose("optimizer", "start", "step").values for name in "ab")
        for pairs in lines:
            for (path, head), xs, ys in zip(
                pairs, a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), strict=True
            ):
                path.set_data(xs, ys)
                head.set_data(xs[-1:], ys[-1:])
        axes[0].set_title(_after(int(until.step[-1])), loc="left")

    return Movie(figure, len(steps), draw, PATHS_RATE, HOLD_SECONDS * PATHS_RATE)


def _after(step: int) -> str:
    return f"after {step:,} step{'' if step == 1 else 's'}"


def _draw_trail(ax: Axes, optima: Sequence[CrossEntropyOptimum]) -> None:
    """The finite optima of the sizes so far, on axes that keep their limits."""
    points = [(optimum.a, optimum.b) for optimum in optima if math.isfinite(optimum.a)]
    if len(points) > 1:
        with kept_limits(ax):
            ax.plot(*zip(*points, strict=True), **TRAIL)
            if math.isfinite(optima[-1].a):
                ax.plot(optima[-1].a, optima[-1].b, **STAR)


def _fix(figure: Figure, ax: Axes) -> None:
    """Lays the figure out once, with room for a title, so that the axes do not move."""
    ax.set_title("n", loc="left")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


# --- files --------------------------------------------------------------------------------------


def require_movie(path: str | os.PathLike[str]) -> None:
    """Rejects a path that no movie can be written to.

    Raises:
        InputError: the suffix is not one of FORMATS, or the encoder is missing.
    """
    kind = Path(path).suffix.lower()
    if kind not in FORMATS:
        raise InputError(f"{path}: no such format of animations; use .gif or .mp4")
    if kind == ".mp4" and not FFMpegWriter.isAvailable():
        raise InputError(
            f"{path}: the program ffmpeg, which is not found, encodes .mp4; install it or use .gif"
        )


def write_movie(
    movie: Movie,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    progress: bool | None = None,
) -> None:
    """Writes a movie in the format of the path's suffix: GIF, or MP4 by ffmpeg.

    Args:
        movie: the movie.
        path: path of the file.
        force: whether to overwrite an existing file.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        InputError: the format is unknown, ffmpeg is not found or fails, or the destination cannot
            be written.
    """
    require_movie(path)
    gif = Path(path).suffix.lower() == ".gif"
    writer = _Gif(movie.rate, movie.hold) if gif else FFMpegWriter(fps=movie.rate)
    with (
        staged(path, force=force) as partial,
        matplotlib.rc_context(STYLE),
        bar("draw", movie.frames, "frames", progress) as step,
    ):
        writer.setup(movie.figure, partial, DPI)
        try:
            for frame in range(movie.frames):
                movie.draw(frame)
                writer.grab_frame()
                step(1)
            for _ in range(0 if gif else movie.hold - 1):  # a GIF states how long a frame stays
                writer.grab_frame()
        except BaseException:
            if not gif:  # ffmpeg is another process, which must end
                with suppress(subprocess.CalledProcessError, OSError):
                    writer.finish()
            raise
        try:
            writer.finish()
        except subprocess.CalledProcessError as error:
            raise InputError(f"{path}: ffmpeg failed (exit code {error.returncode})") from None


class _Gif(PillowWriter):
    """Frames as indices into one palette, so that unchanged pixels take no space.

    matplotlib's own writer stores each frame with its own colours: files of up to four times the
    size. It also draws each frame twice.
    """

    def __init__(self, rate: int, hold: int) -> None:
        super().__init__(fps=rate)
        self._hold, self._images = hold, list[Image.Image]()

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """Adds what the figure shows."""
        canvas = FigureCanvasAgg(self.fig)
        self.fig.set_dpi(self.dpi)
        canvas.draw()
        self._images.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))

    def finish(self) -> None:
        """Writes the file, in the colours of the first, the middle and the last frame."""
        count, pause = len(self._images), round(1000 / self.fps)
        shown = [np.asarray(self._images[k]) for k in sorted({0, (count - 1) // 2, count - 1})]
        palette = _palette(Image.fromarray(np.concatenate(shown)))
        first, *others = (
            frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._images
        )
        durations = [pause] * (count - 1) + [self._hold * pause]
        first.save(
            self.outfile,
            save_all=True,
            append_images=others,
            duration=durations,
            loop=0,
            optimize=True,
        )


def _palette(shown: Image.Image) -> Image.Image:
    """A palette for an image: colours close to those of areas, and some that cover all others."""
    colours = [(255, 255, 255), (0, 0, 0)]
    for count, method in (
        (FREQUENT, Image.Quantize.MEDIANCUT),
        (RARE, Image.Quantize.MAXCOVERAGE),
    ):
        flat = shown.quantize(count, method, dither=Image.Dither.NONE).getpalette() or []
        triples = list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))[:count]
        colours += [colour for colour in triples if min(colour) < NEARLY_WHITE]
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in colours for channel in colour])
    return palette
