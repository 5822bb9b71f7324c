"""What `sweep.diagnose` finds in trained networks: of how many it makes each finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sweep.training.results import CURVES
from sweep.training.statistics import Share

if TYPE_CHECKING:
    import xarray as xr


def codes(table: xr.Dataset) -> Iterator[frozenset[str]]:
    """Codes of the findings of one network after the other, from its curves and last kept logits.

    Args:
        table: of `sweep.train`, networks along the dimension seed and no hyperparameter; none of
            them may have diverged.
    """
    for place in range(table.sizes["seed"]):
        own = table.isel(seed=place)
        logits = own.validation_logits.isel(kept_epoch=-1).values
        curves = {name: own[name].values for name in CURVES}
        yield findings_of(own.validation_y.values, logits, curves)


def findings_of(
    y: Float[np.ndarray, " m"],
    logits: Float[np.ndarray, " m"],
    curves: Mapping[str, Float[np.ndarray, " epochs"]],
) -> frozenset[str]:
    """Codes of the findings about one network.

    Args:
        y: classes of the validation set.
        logits: of it.
        curves: the training history from the first epoch on, by the names of `CURVES`.
    """
    from sweep.diagnosis.diagnose import diagnose

    # Without intervals: no finding depends on them.
    given = of_both(logits.astype(np.float64))
    found = diagnose(y, given, history=curves, replicates=0)
    return frozenset(one.code for one in found.findings)


def of_both(logits: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m 2"]:
    """Logits of either class: those of one, if all are in [0, 1], are taken for probabilities."""
    return np.stack([-logits / 2, logits / 2], axis=1)


def recognised(made: Iterable[Set[str]]) -> dict[str, Share]:
    """Of how many networks each finding is made, by its code, the most frequent first.

    Args:
        made: codes of the findings of each network.
    """
    every = list(made)
    found = {
        code: Share.among(np.array([code in one for one in every]))
        for code in frozenset().union(*every)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].count, item[0])))
