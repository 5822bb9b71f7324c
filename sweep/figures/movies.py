"""A `Movie`: a figure that is drawn anew frame by frame, and how one becomes a GIF or an MP4."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from sweep.base.errors import InputError
from sweep.base.progress import bar
from sweep.base.storage import staged
from sweep.figures.style import STYLE

FORMATS = (".gif", ".mp4")
"""Suffixes of the formats that `write_movie` writes."""

DPI = 100
"""Pixels of an inch; a screen shows a movie, no printer."""

NEARLY_WHITE = 240
"""Parts of a colour from which on it would be taken for white paper, and show as a tint of it."""

FREQUENT, RARE = 200, 40
"""Colours of a GIF, the same in all frames: of areas, and of what is small, as a star. A GIF has
256, and one must be free for pixels that stay as they are."""


@dataclass(frozen=True, eq=False)
class Movie:
    """A figure that moves.

    Attributes:
        figure: what is drawn on.
        frames: how many there are.
        draw: makes the figure show one of them, from 0, whatever it showed before.
        rate: frames in a second.
        hold: times that the last frame is shown.
    """

    figure: Figure
    frames: int
    draw: Callable[[int], None]
    rate: int
    hold: int


def require_movie(path: str | os.PathLike[str]) -> None:
    """Refuses a path that no movie can be written to.

    Raises:
        InputError: its suffix is not one of FORMATS, or what encodes it is not there.
    """
    kind = Path(path).suffix.lower()
    if kind not in FORMATS:
        raise InputError(f"{path}: no such format of animations; use .gif or .mp4")
    if kind == ".mp4" and not FFMpegWriter.isAvailable():
        raise InputError(
            f"{path}: an .mp4 is encoded by the program ffmpeg, which is not found; install it, or "
            "use .gif"
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
        movie: what to write.
        path: where.
        force: overwrites what is there.
        progress: whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        InputError: there is no such format, ffmpeg is not found or fails, or the destination cannot
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
            for _ in range(0 if is_gif else movie.hold - 1):  # a GIF says how long one stays
                writer.grab_frame()
        except BaseException:
            if not is_gif:  # ffmpeg is a process of its own, and to be ended
                with suppress(subprocess.CalledProcessError, OSError):
                    writer.finish()
            raise
        _finish(writer, path)


def _finish(writer: AbstractMovieWriter, path: str | os.PathLike[str]) -> None:
    try:
        writer.finish()
    except subprocess.CalledProcessError as error:
        raise InputError(f"{path}: ffmpeg failed (exit code {error.returncode})") from None


class _Gif(AbstractMovieWriter):
    """Frames as bytes that index one palette, so that what stays the same takes no room.

    matplotlib's own writer holds every frame in full, each with colours of its own: the file is
    several times as large.
    """

    def __init__(self, movie: Movie) -> None:
        super().__init__(fps=movie.rate)
        self._movie = movie
        self._images: list[Image.Image] = []
        self._palette: Image.Image | None = None

    def setup(self, fig: Figure, outfile: Any, dpi: float | None = None) -> None:
        """Chooses the palette: of the first frame, the last and that between them."""
        self.fig, self.outfile, self.dpi = fig, outfile, dpi or DPI
        last = self._movie.frames - 1
        shown: list[Image.Image] = []
        for frame in sorted({0, last // 2, last}):
            self._movie.draw(frame)
            shown.append(self._shot())
        width, height = shown[0].size
        together = Image.new("RGB", (width, height * len(shown)))
        for place, image in enumerate(shown):
            together.paste(image, (0, height * place))
        self._palette = _palette(together)

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """Keeps what the figure shows."""
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
        # Not by savefig, which draws twice: to lay out, and to show.
        canvas = FigureCanvasAgg(self.fig)
        self.fig.set_dpi(self.dpi)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _palette(shown: Image.Image) -> Image.Image:
    """A palette of what is shown: colours that areas are close to, and some that cover all."""
    colours = [(255, 255, 255), (0, 0, 0)]
    for count, method in (
        (FREQUENT, Image.Quantize.MEDIANCUT),
        (RARE, Image.Quantize.MAXCOVERAGE),
    ):
        found = shown.quantize(count, method, dither=Image.Dither.NONE).getpalette() or []
        triples = zip(found[::3], found[1::3], found[2::3], strict=True)
        colours += [one for one in list(triples)[:count] if min(one) < NEARLY_WHITE]
    made = Image.new("P", (1, 1))
    made.putpalette([part for one in colours for part in one])
    return made
