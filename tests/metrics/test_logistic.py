import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from sweep.metrics.logistic import loss_terms, sigmoid


def test_sigmoid_keeps_its_tails():
    z = np.array([-np.inf, -1e9, -700, -30, 0, 30, 800, np.inf])
    expected = [0, 0, np.exp(-700.0), 9.357622968839299e-14, 0.5, 1 - 9.357622968839299e-14, 1, 1]
    np.testing.assert_allclose(sigmoid(z), expected, rtol=1e-14)


@pytest.mark.parametrize("xp", [np, jnp])
def test_loss_terms_keep_their_digits(xp):
    margin = [-700.0, -40.0, -1e-9, 0.0, 0.5, 37.0, 700.0]
    with mpmath.workdps(40):
        wrong = [1 / (1 + mpmath.exp(mpmath.mpf(m))) for m in margin]
        loss = [mpmath.log1p(mpmath.exp(-mpmath.mpf(m))) for m in margin]
        right = [1 / (1 + mpmath.exp(-mpmath.mpf(m))) for m in margin]
        expected = np.array([loss, wrong, np.multiply(wrong, right)], float)
    with jax.enable_x64(True):
        np.testing.assert_allclose(loss_terms(xp.asarray(margin)), expected, rtol=1e-15)
