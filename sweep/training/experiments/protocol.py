"""What all experiments do alike: check seeds and epochs, diagnose networks, report results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from jaxtyping import Float

from sweep.base.errors import InputError
from sweep.base.ranges import whole_number
from sweep.base.records import plain
from sweep.base.tables import Tabular
from sweep.diagnosis.diagnose import diagnose
from sweep.training.hyperparameters import (
    LARGEST_SEED,
    MOST_EPOCHS,
    Hyperparameters,
    coordinate_value,
)
from sweep.training.results import CURVES, Share

MOST_SEEDS = 100_000  # at least 10 KiB are recorded of each network, so 1 GiB of these


def require_seeds(seeds: int | Sequence[int], fewest: int) -> None:
    """Rejects too few seeds for statistics over them, or too many to hold in memory."""
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
    """Rejects too few epochs for the experiment."""
    if whole_number("epochs", epochs, 1, MOST_EPOCHS) < fewest:
        raise InputError(f"epochs is {epochs}: at least {fewest} are needed, {reason}")


class Experiment(Tabular):
    """The result of an experiment: a dataset of its networks, and what is said of them."""

    table: xr.Dataset  # everything recorded of each network
    bands: xr.Dataset  # quantiles over the networks of every curve
    left_out: ClassVar[tuple[str, ...]] = ("table", "bands")  # of `to_dict`

    def to_dict(self) -> dict[str, Any]:
        """Everything but the datasets, as plain Python values."""
        return plain({n: value for n, value in vars(self).items() if n not in self.left_out})


def common_fields(
    table: xr.Dataset, combination: Hyperparameters, names: Iterable[str], most: int | None = None
) -> dict[str, Any]:
    """Fields of experiments whose networks share their hyperparameters, from their dataset.

    The findings are those about the first `most` networks that did not diverge.
    """
    diverged = ~np.isnan(table.diverged_epoch.values)
    alive = np.flatnonzero(~diverged)[:most]
    return {
        "seeds": len(table.seed),
        "epochs": len(table.epoch),
        "hyperparameters": {n: coordinate_value(n, getattr(combination, n)) for n in names},
        "diverged": Share.among(diverged),
        "diverged_epoch": min(table.diverged_epoch.values[diverged].tolist(), default=math.nan),
        "findings": finding_shares(_finding_codes(table.isel(seed=alive))),
        "table": table,
    }


def _finding_codes(table: xr.Dataset) -> Iterator[frozenset[str]]:
    """Codes of the findings about each network, from its curves and its last kept logits."""
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
    """Codes of the findings of `sweep.diagnose` about one network."""
    columns = two_columns(logits.astype(np.float64))
    diagnosis = diagnose(y, columns, history=curves, replicates=0)  # no finding needs intervals
    return frozenset(finding.code for finding in diagnosis.findings)


def two_columns(logits: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m 2"]:
    """Logits of both classes: a single column within [0, 1] would look like probabilities."""
    return np.stack([-logits / 2, logits / 2], axis=1)


def finding_shares(codes: Iterable[Set[str]]) -> dict[str, Share]:
    """Share of the networks with each finding, by code, the most frequent first."""
    networks = list(codes)
    shares = {
        code: Share.among(np.array([code in network for network in networks]))
        for code in frozenset().union(*networks)
    }
    return dict(sorted(shares.items(), key=lambda item: (-item[1].count, item[0])))
