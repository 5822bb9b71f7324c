"""Predictions with known causes, drawn with a seed, and their diagnoses."""

from dataclasses import replace

import numpy as np

import sweep
from sweep.data.predictions import Predictions
from sweep.diagnosis.report import Finding


def predictions(logits, y, weight=None, classes=None):
    """As given, without what reading and checking does."""
    logits, y = np.asarray(logits, float), np.asarray(y, np.int64)
    k = 2 if logits.ndim == 1 else logits.shape[1]
    names = tuple(map(str, range(k))) if classes is None else classes
    weight = None if weight is None else np.asarray(weight, float)
    return Predictions(y, logits, weight, names, np.zeros(len(y), bool), np.nan)


def calibrated(n, seed=0, spread=2.0, level=0.0):
    """Log-odds t ~ N(level, spread) and labels that come true with probability sigmoid(t)."""
    rng = np.random.default_rng(seed)
    t = rng.normal(level, spread, n)
    return t, (rng.random(n) < 1 / (1 + np.exp(-t))).astype(np.int64)


def overconfident(n, seed=0, weighted=False, factor=2.0, shift=1.0):
    """Predictions with the logits factor * t + shift, where t would be calibrated."""
    t, y = calibrated(n, seed)
    weight = np.random.default_rng(seed + 1).exponential(size=n) if weighted else None
    return predictions(factor * t + shift, y, weight)


def diagnosed(data, replicates=0, **fields):
    """A diagnosis, of which some fields are replaced."""
    return replace(sweep.diagnose(data, replicates=replicates), **fields)


def finding(code="overconfident", severity="warning", **numbers):
    return Finding(code, severity, f"The sentence of {code}.", f"The advice of {code}.", numbers)


def mean_loss(data, a=1.0, b=0.0):
    """Cross-entropy at (a, b), in nats."""
    z, y = data.logits, data.y
    if data.binary:
        each = np.logaddexp(0.0, np.where(y == 1, -1.0, 1.0) * (a * z + b))
    else:
        each = np.logaddexp.reduce(a * z, axis=1) - a * z[np.arange(len(y)), y]
    return float(np.average(each, weights=data.weight))
