"""What a command computes on: a file of data, a sketch, or a law at one size or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import sweep
from sweep.base.ranges import size_text, size_title, sizes
from sweep.cli.app import UsageError
from sweep.data.sample import Sample, load
from sweep.measure.sketch import archive
from sweep.measure.sketch.sketch import Sketch
from sweep.populations import Population, population
from sweep.report.text import counted, filled, law_named

COLUMNS = ("x", "y", None)
"""Names of the columns x, y and weight unless others are given; None is as in `sweep.data.load`."""


class NamedData(NamedTuple):
    """What one landscape or optimum is of.

    Attributes:
        heading: names it; a law in lines of 80 columns at most.
        title: names it beside the others.
        data: the sample, the sketch or the law.
    """

    heading: str
    title: str
    data: Sample | Sketch | Population


@dataclass(frozen=True)
class File:
    """A file of data.

    Attributes:
        path: where it is.
        columns: names of x, y and the weight.
    """

    path: Path
    columns: tuple[str, str, str | None]

    sizes: tuple[float, ...] = ()

    def parts(self) -> Iterator[NamedData]:
        """The sample in the file."""
        x, y, weight = self.columns
        sample = load(self.path, x=x, y=y, weight=weight)
        yield NamedData(f"{self.path}: {len(sample)} points", f"n = {len(sample)}", sample)


@dataclass(frozen=True)
class SketchFile:
    """A file with a sketch.

    Attributes:
        path: where it is.
    """

    path: Path

    sizes: tuple[float, ...] = ()

    @cached_property
    def sketch(self) -> Sketch:
        """What is in the file."""
        return archive.read(self.path)

    def parts(self) -> Iterator[NamedData]:
        """The sketch, as it is called."""
        found = self.sketch
        what = f"{counted(found.n, 'point')} in {counted(len(found.parts), 'part')}"
        heading = filled(f"{self.path}: a sketch of {what}, which answers {found.scope}")
        yield NamedData(heading, f"n = {found.n}", found)


@dataclass(frozen=True)
class Law:
    """A law at some sizes.

    Attributes:
        law: the population.
        sizes: numbers of points, ascending; inf is the population itself.
        seed: of the samples.
    """

    law: Population
    sizes: tuple[float, ...]
    seed: int

    path: None = None

    def parts(self) -> Iterator[NamedData]:
        """A sample of each size, or the population."""
        for n in self.sizes:
            seed = "" if math.isinf(n) else f", seed {self.seed}"
            heading = f"{law_named(self.law.name, self.law.id)}: n = {size_text(n)}{seed}"
            yield NamedData(filled(heading), size_title(n), sweep.sample(self.law, n, self.seed))


def source(
    path: Path | None,
    columns: tuple[str, str, str | None],
    law: str | None,
    n: str | None,
    seed: int | None,
) -> File | SketchFile | Law:
    """What the command line asks to compute on.

    Raises:
        UsageError: it asks for both, for neither, or for what the other one has.
        InputError: there is no such law or size.
    """
    if law is not None:
        if path is not None:
            raise UsageError(f"DATA ({path}) and --population exclude each other; give one")
        if columns != COLUMNS:
            raise UsageError("--x, --y and --weight are columns of DATA; --population has none")
        wanted = (math.inf,) if n is None else sizes(n, "--n", infinite=True)
        return Law(population(law), wanted, 0 if seed is None else seed)
    for option, value in (("--n", n), ("--seed", seed)):
        if value is not None:
            raise UsageError(f"{option} is of samples of --population, which is not given")
    if path is None:
        raise UsageError("give a file of DATA, or a law by --population")
    if not archive.holds_sketch(path):
        return File(path, columns)
    if columns != COLUMNS:
        raise UsageError(f"--x, --y and --weight are columns of data; {path} is a sketch")
    return SketchFile(path)
