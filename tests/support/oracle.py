"""The slow truth: definitions in plain NumPy, one cell and one cut at a time, and in mpmath.

Nothing here shares code with the package.
"""

import mpmath
import numpy as np

TOLERANCE = {
    "float64": 6e-14,  # relative: 512 roundings of 1.1e-16 in the longest sum, and some
    "float32": 1e-4,  # absolute: as landscape() promises in the tests that ask for it
}


def logits(sample, a, b):
    """The logit fl(fl(a*x) + b), two roundings."""
    product = np.float64(a) * sample.x
    return product + np.float64(b)


def weights(sample):
    return np.ones(len(sample)) if sample.weight is None else sample.weight


def cross_entropy(sample, a, b):
    """Mean cross-entropy in nats at one (a, b)."""
    z, y, w = logits(sample, a, b), sample.y, weights(sample)
    losses = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    return np.sum(w * losses) / np.sum(w)


def correct(sample, a, b):
    """Mass predicted correctly at one (a, b)."""
    predicted = logits(sample, a, b) > 0
    return np.sum(weights(sample) * np.where(predicted, sample.y, 1 - sample.y))


def grid(function, sample, a, b):
    """A function of (sample, a, b) in every cell, shape (P, Q)."""
    return np.array([[function(sample, ai, bj) for bj in b] for ai in a])


def exact_cross_entropy(sample, a, b):
    """Mean cross-entropy to 50 digits, from the same rounded z, labels and weights."""
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        mass = mpmath.mpf(0)
        for z, y, w in zip(logits(sample, a, b), sample.y, weights(sample), strict=True):
            for share, argument in ((y, -z), (1 - y, z)):
                # The measure's masses are float64 products, so they round here as they do there.
                m = mpmath.mpf(float(np.float64(share) * w))
                total += m * mpmath.log1p(mpmath.exp(mpmath.mpf(float(argument))))
                mass += m
        return total / mass


def exact_gradient(sample, a, b):
    """Derivatives of the mean cross-entropy by b and by a, in exact logits, to 50 digits.

    x is centred at its median and in units of its mean deviation from it.
    """
    with mpmath.workdps(60):
        w = [mpmath.mpf(float(v)) for v in weights(sample)]
        x = [mpmath.mpf(float(v)) for v in sample.x]
        pulls = [
            weight * (1 / (1 + mpmath.exp(-(mpmath.mpf(a) * xi + mpmath.mpf(b)))) - mpmath.mpf(yi))
            for weight, xi, yi in zip(w, x, map(float, sample.y), strict=True)
        ]
        total = mpmath.fsum(w)
        centre = mpmath.mpf(float(np.median(sample.x)))
        spread = mpmath.fsum(wi * abs(xi - centre) for wi, xi in zip(w, x, strict=True)) / total
        by_a = mpmath.fsum(p * (xi - centre) for p, xi in zip(pulls, x, strict=True))
        return float(mpmath.fsum(pulls) / total), float(by_a / total / spread)


def best_cuts(sample):
    """(highest correct mass, {(k, orientation)}): every half-line, by brute force.

    k is how many distinct points lie below the cut (+1: class 1 is the rest) or up to it (-1:
    class 1 is those).
    """
    points = np.unique(sample.x)
    w = weights(sample)
    found = {}
    for k in range(len(points) + 1):
        low = np.isin(sample.x, points[:k])
        for orientation, predicted in ((1, ~low), (-1, low)):
            mass = [
                mpmath.mpf(float(np.float64(share) * weight))
                for share, weight in zip(
                    np.where(predicted, sample.y, 1 - sample.y), w, strict=True
                )
            ]
            with mpmath.workdps(400):
                found[k, orientation] = mpmath.fsum(mass)
    most = max(found.values())
    return float(most), {key for key, value in found.items() if value == most}


def untimed(landscape):
    """A landscape without the seconds that it took, which no two share."""
    attrs = {k: v for k, v in landscape.attrs.items() if not k.startswith("seconds_")}
    return landscape.drop_attrs(deep=False).assign_attrs(attrs)


def error(values, exact):
    """Largest |error| / max(1, value)."""
    return float(np.max(np.abs(values - exact) / np.maximum(1, exact)))
