"""Softmax regression by gradient descent on the library's own kernels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softops.numba_kernels import cross_entropy, softmax


@dataclass(frozen=True)
class Fit:
    """A fitted classifier: weight (classes, features), bias (classes,), and the mean loss of each epoch."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    losses: list[float]


def fit_softmax_regression(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    *,
    epochs: int = 60,
    batch: int = 64,
    rate: float = 0.1,
    momentum: float = 0.9,
    decay: float = 1e-4,
    seed: int = 0,
    on_epoch: Callable[[float], None] = lambda loss: None,
) -> Fit:
    """Minimise the cross-entropy of softmax(x Wᵀ + b) by mini-batch gradient descent with momentum.

    The gradient of the mean loss is dL/dz = (softmax(z) − onehot(y)) / n, dL/dW = (dL/dz)ᵀ x and
    dL/db = Σ dL/dz.

    Parameters
    ----------
    features
        (n, features) float32, of the order of 1: the learning rate counts on that.
    labels
        (n,) class indices from 0 to classes − 1.
    decay
        L2 penalty on the weight (not on the bias).
    on_epoch
        Called with the mean training loss after each epoch.
    """
    random = np.random.default_rng(seed)
    weight = np.zeros((classes, features.shape[1]), np.float32)
    bias = np.zeros(classes, np.float32)
    weight_step, bias_step = np.zeros_like(weight), np.zeros_like(bias)
    losses: list[float] = []
    for _ in range(epochs):
        total = 0.0
        order = random.permutation(len(features))
        for rows in np.split(order, range(batch, len(order), batch)):
            x, y = features[rows], labels[rows]
            logits = x @ weight.T + bias
            total += float(cross_entropy(logits, y)) * len(rows)
            slope = softmax(logits)
            slope[np.arange(len(rows)), y] -= 1
            slope /= np.float32(len(rows))
            weight_step *= momentum
            weight_step -= rate * (slope.T @ x + decay * weight)
            bias_step *= momentum
            bias_step -= rate * slope.sum(0)
            weight += weight_step
            bias += bias_step
        losses.append(total / len(features))
        on_epoch(losses[-1])
    return Fit(weight, bias, losses)
