"""Paths of optimisers as tables: each path, and what they show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sweep.base.tables import Table
from sweep.training.paths.targets import OPTIMIZER_NAMES

if TYPE_CHECKING:
    from sweep.training.paths.run import Paths
    from sweep.training.paths.targets import Path, PathTarget

NEGLIGIBLE = 1e-6  # loss of accuracy that counts as none: the accuracy of a law has rounding errors

COLUMNS = ("optimizer", "l2", "from (a, b)", "to (a, b)", "CE, end")
ACCURACIES = ("accuracy: start", "best", "end")


def tables(result: Paths) -> Iterator[Table]:
    """Every path, then where those with one penalty end."""
    yield Table(notes=(result.optimum.cross_entropy.status.value,))
    yield Table(columns=(*COLUMNS, *ACCURACIES), rows=tuple(map(_row, result.paths)))
    for target in result.targets:
        yield _ends(result, target)


def _row(path: Path) -> tuple[str, ...]:
    start, end = (f"{at[0]:.3g}, {at[1]:.3g}" for at in (path.start, path.end))
    ce, accuracies = f"{path.cross_entropy[1]:.4g}", (f"{value:.3f}" for value in path.accuracy)
    return path.optimizer.split("(")[0], f"{path.l2:.3g}", start, end, ce, *accuracies


def _ends(result: Paths, target: PathTarget) -> Table:
    """Where the paths with one penalty end, by optimiser."""
    notes = []
    for name in dict.fromkeys(path.optimizer for path in result.paths):
        paths = [p for p in result.paths if (p.optimizer, p.l2) == (name, target.l2)]
        notes.append(f"{OPTIMIZER_NAMES.get(name, name)}: {'; '.join(_clauses(target, paths))}.")
    return Table(title=f"l2 = {target.l2:g}: {_theory(result, target)}", notes=tuple(notes))


def _theory(result: Paths, target: PathTarget) -> str:
    """What theory says in advance."""
    if math.isfinite(target.a):
        return f"the exact optimum is a = {target.a:.9g}, b = {target.b:.9g}"
    if target.l2 == 0 and result.growth is not None:
        a, b = result.growth.a, result.growth.b
        return f"in theory (a, b) grows like ({a:.4g}, {b:.4g}) log t, t steps"
    return "no single optimum"


def _clauses(target: PathTarget, paths: Sequence[Path]) -> list[str]:
    """What the paths of one optimiser with one penalty show."""
    diverged = [path.diverged for path in paths if not math.isnan(path.diverged)]
    converged = [path for path in paths if math.isnan(path.diverged)]
    clauses = []
    if diverged:
        clauses.append(
            f"{len(diverged)} of {len(paths)} diverged, the first at step {min(diverged):g}"
        )
    if not converged:
        return clauses
    if math.isfinite(target.a):
        clauses.append(f"ends within {max(path.distance for path in converged):.1e} of it")
    else:
        low, high = (end(path.growth.a for path in converged) for end in (min, max))
        clauses.append(f"in the last decade of steps a grew like {low:.4g} to {high:.4g} log t")
    clauses.append(_accuracy(converged))
    watched = converged[0].validation
    if watched is not None:
        (least, end), (before, after) = watched.cross_entropy, watched.accuracy
        clauses.append(
            f"on the first, validation cross-entropy goes from {least:.4g} at step "
            f"{watched.least_step} to {end:.4g} and accuracy from {before:.3g} to {after:.3g}"
        )
    return clauses


def _accuracy(converged: Sequence[Path]) -> str:
    """How accuracy changed along the paths."""
    lost = [path for path in converged if path.given_up > NEGLIGIBLE]
    if not lost:
        last = max(path.steady for path in converged)
        return f"accuracy is constant from step {last:g} on"
    most = max(path.given_up for path in lost)
    falling = " while the loss fell at every step" if all(p.falling for p in lost) else ""
    return f"{len(lost)} of {len(converged)} lost accuracy, at most {most:.3g},{falling}".rstrip(
        ","
    )
