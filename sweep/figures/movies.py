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
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from PIL import Image

from sweep.base.errors import InputError
from sweep.base.files import staged
from sweep.base.progress import bar
from sweep.figures.optima import STAR, optimum_legend
from sweep.figures.planes import colour_bar, draw_landscape, norm_of
from sweep.figures.style import CE_COLOUR, STYLE, axis_label, legend_above
from sweep.figures.trajectories import (
    COLOURS,
    END,
    METRICS,
    START,
    first_rate,
    landscapes,
    path_handles,
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
    "color": CE_COLOUR,
    "linewidth": 1,
    "marker": "o",
    "markersize": 2.5,
    "path_effects": [Stroke(linewidth=2, foreground="white"), Normal()],
    "zorder": 4,
}

FORMATS = (".gif", ".mp4")  # suffixes of the formats that `write_movie` writes
DPI = 100  # pixels an inch: movies are for screens, not printers

# A GIF has 256 colours, the same in all frames here, and one must be free for unchanged pixels.
FREQUENT, RARE = 200, 40  # colours for areas, and for small things such as a star
NEARLY_WHITE = 240  # a colour that is this light in all channels would show as tinted paper


@dataclass(frozen=True, eq=False)
class Movie:
    """A figure that is drawn anew for each frame.

    Attributes:
        figure: the figure.
        frames: number of frames.
        draw: makes the figure show one frame, from 0, whatever it showed before.
        rate: frames a second.
        hold: number of frames for which the last one stays.
    """

    figure: Figure
    frames: int
    draw: Callable[[int], None]
    rate: int
    hold: int


# --- landscapes and paths -----------------------------------------------------------------------


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
    names = [str(name) for name in first.data_vars if first[name].dtype.kind == "f"]
    norms = {name: _norm([dataset[name] for _, dataset, _ in columns]) for name in names}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 * len(names), 3.9))
        axes = figure.subplots(1, len(names), squeeze=False)[0]
        for ax, name in zip(axes, names, strict=True):
            image = draw_landscape(ax, first[name].sortby(["a", "b"]), columns[0][2], norms[name])
            colour_bar(figure, ax, image, axis_label(first[name]), location="bottom")
        legend: dict[str, Artist | tuple[Artist, ...]] = {
            **optimum_legend([(axes[0], best) for _, _, best in columns])
        }
        legend_above(figure, legend | {"at smaller n": Line2D([], [], **TRAIL)}, columns=3)
        _fix(figure, axes[0])

    def draw(frame: int) -> None:
        title, dataset, best = columns[frame]
        for ax, name in zip(axes, names, strict=True):
            ax.clear()
            draw_landscape(ax, dataset[name].sortby(["a", "b"]), best, norms[name])
            _draw_trail(ax, [past.cross_entropy for _, _, past in columns[: frame + 1]])
        axes[0].set_title(f"{title}, accuracy lost {best.regret:.2g}", loc="left")

    return Movie(figure, len(columns), draw, SIZES_RATE, HOLD_SECONDS * SIZES_RATE)


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
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4.1))
        axes = figure.subplots(1, 2)
        for ax, name in zip(axes, METRICS, strict=True):
            metric = planes[penalty][name]
            image = draw_landscape(ax, metric, best, norm_of(metric, metric.values))
            colour_bar(figure, ax, image, axis_label(metric), location="bottom")
            limits = ax.get_xlim(), ax.get_ylim()
            ax.plot(paths.start_a, paths.start_b, **START)
            ax.set(xlim=limits[0], ylim=limits[1])
        lines = [_lines(ax, paths.sizes["optimizer"], paths.sizes["start"]) for ax in axes]
        legend: dict[str, Artist | tuple[Artist, ...]] = {**path_handles(result, COLOURS)}
        legend |= {"start": Line2D([], [], **START)} | optimum_legend([(axes[0], best)])
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


def _lines(ax: Axes, optimizers: int, starts: int) -> list[tuple[Line2D, Line2D]]:
    """The path and its head, of every start of every optimiser, the starts changing fastest."""
    outlined = [Stroke(linewidth=2.4, foreground="black"), Normal()]
    lines: list[tuple[Line2D, Line2D]] = []
    for i in range(optimizers):
        colour = COLOURS[i % len(COLOURS)]
        above = 0.1 * (optimizers - i) / optimizers  # the first optimiser is on top
        for _ in range(starts):
            (path,) = ax.plot(
                [], [], color=colour, linewidth=1.3, path_effects=outlined, zorder=3 + above
            )
            look: dict[str, Any] = END | {"markerfacecolor": colour, "zorder": 4 + above}
            (head,) = ax.plot([], [], **look)
            lines.append((path, head))
    return lines


def _norm(metrics: Sequence[xr.DataArray]) -> Normalize:
    """One colour scale for all sizes."""
    return norm_of(metrics[0], np.concatenate([metric.values.ravel() for metric in metrics]))


def _draw_trail(ax: Axes, optima: Sequence[CrossEntropyOptimum]) -> None:
    """The finite optima of the sizes so far, on axes that keep their limits."""
    limits = ax.get_xlim(), ax.get_ylim()
    points = [(optimum.a, optimum.b) for optimum in optima if math.isfinite(optimum.a)]
    if len(points) > 1:
        ax.plot(*zip(*points, strict=True), **TRAIL)
        current = optima[-1]
        if math.isfinite(current.a):
            ax.plot(current.a, current.b, **STAR)
    ax.set(xlim=limits[0], ylim=limits[1])


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
    is_gif = Path(path).suffix.lower() == ".gif"
    writer: AbstractMovieWriter = _Gif(movie) if is_gif else FFMpegWriter(fps=movie.rate)
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
            for _ in range(0 if is_gif else movie.hold - 1):  # a GIF states how long a frame stays
                writer.grab_frame()
        except BaseException:
            if not is_gif:  # ffmpeg is another process, which must end
                with suppress(subprocess.CalledProcessError, OSError):
                    writer.finish()
            raise
        _finish(writer, path)


def _finish(writer: AbstractMovieWriter, path: str | os.PathLike[str]) -> None:
    """Completes the file, and names it if ffmpeg fails."""
    try:
        writer.finish()
    except subprocess.CalledProcessError as error:
        raise InputError(f"{path}: ffmpeg failed (exit code {error.returncode})") from None


class _Gif(AbstractMovieWriter):
    """Frames as indices into one palette, so that unchanged pixels take no space.

    matplotlib's own writer stores every frame in full, each with its own colours; its files are
    several times as large.
    """

    def __init__(self, movie: Movie) -> None:
        super().__init__(fps=movie.rate)
        self._movie = movie
        self._images: list[Image.Image] = []
        self._palette: Image.Image | None = None

    def setup(self, fig: Figure, outfile: Any, dpi: float | None = None) -> None:
        """Chooses the palette from the first, the middle and the last frame."""
        self.fig, self.outfile, self.dpi = fig, outfile, dpi or DPI
        last = self._movie.frames - 1
        shown: list[Image.Image] = []
        for frame in sorted({0, last // 2, last}):
            self._movie.draw(frame)
            shown.append(self._shot())
        width, height = shown[0].size
        together = Image.new("RGB", (width, height * len(shown)))
        for i, image in enumerate(shown):
            together.paste(image, (0, height * i))
        self._palette = _palette(together)

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """Adds what the figure shows."""
        image = self._shot()
        self._images.append(image.quantize(palette=self._palette, dither=Image.Dither.NONE))

    def finish(self) -> None:
        """Writes the file."""
        first, *others = self._images
        pause = round(1000 / self.fps)
        first.save(
            self.outfile,
            save_all=True,
            append_images=others,
            duration=[*(pause for _ in others), self._movie.hold * pause],
            loop=0,
            optimize=True,
        )

    def _shot(self) -> Image.Image:
        """What the figure shows, as an image."""
        # Not by savefig, which draws twice: for the layout and for the file.
        canvas = FigureCanvasAgg(self.fig)
        self.fig.set_dpi(self.dpi)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


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
