"""Gradient descent on the kernels."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from softops.cli.demo.training import fit_softmax_regression


@pytest.fixture(scope="module")
def clouds():
    """Three clouds of points that overlap, so that the loss has a finite minimum."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), 40)
    features = random.normal(size=(120, 2)) + 1.5 * np.eye(3, 2)[labels]
    return features.astype(np.float32), labels


def test_it_finds_the_minimum_that_scipy_finds(clouds):
    features, labels = clouds
    decay = 1e-2

    def objective(parameters):
        weight, bias = parameters[:6].reshape(3, 2), parameters[6:]
        logits = features.astype(np.float64) @ weight.T + bias
        loss = -log_softmax(logits, 1)[np.arange(len(labels)), labels].mean()
        return loss + decay / 2 * (weight**2).sum()

    best = minimize(objective, np.zeros(9), method="BFGS")
    fit = fit_softmax_regression(features, labels, 3, epochs=400, batch=120, decay=decay)
    np.testing.assert_allclose(fit.weight, best.x[:6].reshape(3, 2), atol=2e-3)
    # The biases are fixed up to a common constant: the penalty does not touch them.
    np.testing.assert_allclose(fit.bias - fit.bias.mean(), best.x[6:] - best.x[6:].mean(), atol=2e-3)


def test_it_reports_each_epoch_and_the_loss_falls(clouds):
    seen = []
    fit = fit_softmax_regression(*clouds, 3, epochs=10, on_epoch=seen.append)
    assert seen == fit.losses
    assert len(seen) == 10
    assert seen[-1] < seen[0] < np.log(3) * 1.5


def test_the_result_is_float32_and_the_same_for_the_same_seed(clouds):
    first, again = (fit_softmax_regression(*clouds, 3, epochs=3) for _ in range(2))
    assert first.weight.dtype == first.bias.dtype == np.float32
    np.testing.assert_array_equal(first.weight, again.weight)
