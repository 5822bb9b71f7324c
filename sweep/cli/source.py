"""What a command computes from: a file of data, a sketch, or a law at one or several sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import sweep
from sweep import populations  # its face: laws load only where --population asks for one
from sweep.base.ranges import size_text, size_title, sizes
from sweep.base.wording import counted, law_named
from sweep.cli.app import UsageError
from sweep.data.sample import Sample, load
from sweep.measure.sketch import archive
from sweep.measure.sketch.sketch import Sketch

COLUMNS = ("x", "y", None)
"""Default names of the columns; None finds the weight as `sweep.data.load` does."""


class NamedData(NamedTuple):
    """Data for one landscape or optimum.

    Attributes:
        heading: names the data.
        title: short name, for a figure with several panels.
        data: the sample, the sketch or the law.
    """

    heading: str
    title: str
    data: Sample | Sketch | populations.Population


@dataclass(frozen=True)
class File:
    """A file of data.

    Attributes:
        path: of the file.
        columns: names of x, y and the weight.
    """

    path: Path
    columns: tuple[str, str, str | None]

    sizes: tuple[float, ...] = ()

    def parts(self) -> Iterator[NamedData]:
        """The sample in the file, read when it is asked for."""
        x, y, weight = self.columns
        sample = load(self.path, x=x, y=y, weight=weight)
        yield NamedData(f"{self.path}: {len(sample)} points", f"n = {len(sample)}", sample)


@dataclass(frozen=True)
class SketchFile:
    """A file with a sketch.

    Attributes:
        path: of the file.
    """

    path: Path

    sizes: tuple[float, ...] = ()

    @cached_property
    def sketch(self) -> Sketch:
        """The sketch, read once."""
        return archive.read(self.path)

    def parts(self) -> Iterator[NamedData]:
        """The sketch with its name."""
        sketch = self.sketch
        content = f"{counted(sketch.n, 'point')} in {counted(len(sketch.parts), 'part')}"
        heading = f"{self.path}: a sketch of {content}; it answers {sketch.scope}"
        yield NamedData(heading, f"n = {sketch.n}", sketch)


@dataclass(frozen=True)
class Law:
    """A law, sampled at some sizes.

    Attributes:
        law: the population.
        sizes: numbers of points, ascending; inf is the population itself.
        seed: seed of the samples.
    """

    law: populations.Population
    sizes: tuple[float, ...]
    seed: int

    path: None = None

    def parts(self) -> Iterator[NamedData]:
        """A sample of each size, or the population."""
        for n in self.sizes:
            seed = "" if math.isinf(n) else f", seed {self.seed}"
            heading = f"{law_named(self.law.name, self.law.id)}: n = {size_text(n)}{seed}"
            yield NamedData(heading, size_title(n), sweep.sample(self.law, n, self.seed))


Source = File | SketchFile | Law


def source(
    path: Path | None,
    columns: tuple[str, str, str | None],
    law: str | None,
    n: str | None,
    seed: int | None,
) -> Source:
    """The source that the command line names.

    Raises:
        UsageError: both DATA and --population are given, or neither, or an option of the other.
        InputError: the law or a size is not valid.
    """
    if law is not None:
        if path is not None:
            raise UsageError(f"DATA ({path}) and --population exclude each other; give one")
        if columns != COLUMNS:
            raise UsageError("--x, --y and --weight name columns of DATA; --population has none")
        law_sizes = (math.inf,) if n is None else sizes(n, "--n", infinite=True)
        return Law(populations.population(law), law_sizes, 0 if seed is None else seed)
    for option, value in (("--n", n), ("--seed", seed)):
        if value is not None:
            raise UsageError(f"{option} needs --population, which is not given")
    if path is None:
        raise UsageError("give a file of DATA, or a law with --population")
    if not archive.holds_sketch(path):
        return File(path, columns)
    if columns != COLUMNS:
        raise UsageError(f"--x, --y and --weight name columns of data; {path} is a sketch")
    return SketchFile(path)
