import numpy as np

from sweep.metrics.logistic import sigmoid


def test_sigmoid_keeps_its_tails():
    z = np.array([-np.inf, -1e9, -700, -30, 0, 30, 800, np.inf])
    expected = [0, 0, np.exp(-700.0), 9.357622968839299e-14, 0.5, 1 - 9.357622968839299e-14, 1, 1]
    np.testing.assert_allclose(sigmoid(z), expected, rtol=1e-14)
