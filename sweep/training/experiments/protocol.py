"""What all experiments do alike: check seeds and epochs, and diagnose their networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import numpy as np
import xarray as xr
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.ranges import whole_number
from sweep.diagnosis.diagnose import diagnose
from sweep.training.hyperparameters import LARGEST_SEED, MOST_EPOCHS
from sweep.training.results import CURVES, Share

MOST_SEEDS = 100_000  # at least 10 KiB are recorded of each network, so 1 GiB of these


def require_seeds(seeds: int | Sequence[int], fewest: int) -> None:
    """Rejects too few seeds for statistics over them, or too many to hold in memory.

    Args:
        seeds: number of seeds, or each of them.
        fewest: smallest valid number.

    Raises:
        InputError: the message says how many are valid.
    """
    count = seeds if isinstance(seeds, (int, float)) else len(seeds)
    if whole_number("seeds", count, 1, LARGEST_SEED) < fewest:
        raise InputError(
            f"seeds is {count}: at least {fewest} are needed for quantiles and intervals"
        )
    if count > MOST_SEEDS:
        raise InputError(
            f"seeds is {count:g}: at most {MOST_SEEDS:,} are trained at once, because the records "
            "of each network take 10 KiB"
        )


def require_epochs(epochs: int, fewest: int, reason: str) -> None:
    """Rejects too few epochs for the experiment.

    Args:
        epochs: number of epochs.
        fewest: smallest valid number.
        reason: why so many are needed, the end of the message.

    Raises:
        InputError: the message says how many are needed, and why.
    """
    if whole_number("epochs", epochs, 1, MOST_EPOCHS) < fewest:
        raise InputError(f"epochs is {epochs}: at least {fewest} are needed, {reason}")


def finding_codes(table: xr.Dataset) -> Iterator[frozenset[str]]:
    """Codes of the findings about each network, from its curves and its last kept logits.

    Args:
        table: dataset of `sweep.train`, with the dimension seed and no hyperparameter; none of the
            networks may have diverged.
    """
    for k in range(table.sizes["seed"]):
        network = table.isel(seed=k)
        logits = network.validation_logits.isel(kept_epoch=-1).values
        curves = {name: network[name].values for name in CURVES}
        yield network_findings(network.validation_y.values, logits, curves)


def network_findings(
    y: Float[np.ndarray, " m"],
    logits: Float[np.ndarray, " m"],
    curves: Mapping[str, Float[np.ndarray, " epochs"]],
) -> frozenset[str]:
    """Codes of the findings of `sweep.diagnose` about one network.

    Args:
        y: classes of the validation set.
        logits: logits of the validation set.
        curves: training history from the first epoch, by the names of `CURVES`.
    """
    columns = two_columns(logits.astype(np.float64))
    diagnosis = diagnose(y, columns, history=curves, replicates=0)  # no finding needs intervals
    return frozenset(finding.code for finding in diagnosis.findings)


def two_columns(logits: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m 2"]:
    """Logits of both classes: a single column within [0, 1] would look like probabilities."""
    return np.stack([-logits / 2, logits / 2], axis=1)


def finding_shares(codes: Iterable[Set[str]]) -> dict[str, Share]:
    """Share of the networks with each finding, by code, the most frequent first.

    Args:
        codes: codes of the findings about each network.
    """
    networks = list(codes)
    shares = {
        code: Share.among(np.array([code in network for network in networks]))
        for code in frozenset().union(*networks)
    }
    return dict(sorted(shares.items(), key=lambda item: (-item[1].count, item[0])))
