"""What the operators of ai.onnx.ml ask of their inputs."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array


def matrix_of(x: Array) -> Array:
    """The input as rows of features, shape (N, F); one of rank 1 is one row."""
    if x.ndim not in (1, 2):
        message = f"the input must be of shape (N, F) or (F,), not {list(x.shape)}"
        raise ValueError(message)
    return np.atleast_2d(x)
