"""Predictions that a page must cope with, and texts that it must not take for code."""

import numpy as np

from tests.support.predicted import calibrated, predictions

MARKUP = "</script><script>alert(1)</script>"
NEVER = r"(?i)\b(nan|inf|infinity|none|null|undefined)\b"
"""What stands for no number in a language, and must not on a page."""


def several(n=300, k=4, seed=0, classes=None):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    return predictions(rng.normal(size=(n, k)) + 2 * np.eye(k)[y], y, classes=classes)


HARD = {
    "separable": predictions([*range(-5, 0), *range(1, 6)], [0] * 5 + [1] * 5),
    "constant": predictions(np.zeros(20), [0, 1] * 10),
    "ten": predictions(np.arange(10) - 4.5, [0, 0, 1, 0, 0, 1, 0, 1, 1, 1]),
    "sign flipped": predictions(-3 * calibrated(50, 2)[0], calibrated(50, 2)[1]),
    "huge": predictions([-1e6, 2e6, 3.0, -4e5, 1.0, -2.0, 0.0, 5.0, -1.0, 2.0], [0, 1] * 5),
    "outlier": predictions([*calibrated(99, 3)[0], -700.0], [*calibrated(99, 3)[1], 1]),
    "weighted": predictions(*calibrated(60, 4), weight=np.random.default_rng(0).random(60)),
    "several": several(),
    "many classes": several(k=20),
}
