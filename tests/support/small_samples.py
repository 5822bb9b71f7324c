"""Small samples with many ties, and noisy ones, for tests of optima."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def noisy(seed, n=200):
    """Labels (0 or 1) that follow a logistic law of normal x, as arrays x and y."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, (rng.uniform(size=n) < 1 / (1 + np.exp(-1.5 * x + 0.3))).astype(float)


POSITIONS = st.integers(-4, 4).map(float)


# Columns (x, y, weight) of 1 to 12 points at few positions, so that ties are frequent.
SAMPLES = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=POSITIONS),
        arrays(float, n, elements=st.sampled_from([0.0, 0.0, 1.0, 1.0, 0.25])),
        st.none() | arrays(float, n, elements=st.sampled_from([0.1, 0.2, 0.3, 1.0, 1e12, 1e-6])),
    )
)
