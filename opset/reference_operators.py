"""The oracle as operators call it: adapters from a node to its functions, unrounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import reference_losses
from .axis import along
from .reduction import reduced_axes
from .reference_rows import log_softmax, logsumexp
from .rounding import cast
from .row import Attributes, Implementation, Inputs, Operator

Outputs = tuple[NDArray[Any], ...]


def along_axis(function: Callable[..., NDArray[Any]]) -> Implementation:
    """Make an operator of ``function(x, axis)`` under the row's axis rule."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        assert inputs[0] is not None
        assert row.axis_rule is not None
        return (along(row.axis_rule, function, inputs[0], attributes["axis"], name=row.name),)

    return reference


def elementwise(function: Callable[..., NDArray[Any]]) -> Implementation:
    """Make an operator of ``function(x)``."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        return (function(inputs[0]),)

    return reference


def reduce_log_sum_exp(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """log sum exp(x) over the axes of the node; x itself over none."""
    x = inputs[0]
    assert x is not None
    axes = reduced_axes(row, x.ndim, inputs, attributes)
    wide = x.astype(np.longdouble)
    return (logsumexp(wide, axes, keepdims=bool(attributes["keepdims"])) if axes else wide,)


def as_cast(value: NDArray[Any], dtype: DTypeLike, inputs: Inputs) -> NDArray[Any]:
    """Round floats once, and cut integers off towards zero."""
    return cast(value, dtype)


def softmax_cross_entropy(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """The loss and, if asked for, the log-probabilities."""
    scores, labels, weights = inputs
    assert scores is not None
    assert labels is not None
    loss = reference_losses.cross_entropy(scores, labels, weight=weights, **attributes)
    return (loss,) if outputs == 1 else (loss, log_softmax(scores, 1))


def negative_log_likelihood(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    """The loss of log-probabilities that are given."""
    log_prob, labels, weight = inputs
    assert log_prob is not None
    assert labels is not None
    return (reference_losses.nll_loss(log_prob, labels, weight=weight, **attributes),)
