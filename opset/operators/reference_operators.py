"""The oracle as operators call it: adapters from a node to its functions, unrounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis import along
from .reduction import reduced_axes
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


def reduce_log_sum_exp(function: Callable[..., NDArray[Any]]) -> Implementation:
    """Make an operator of ``function(x, axes, keepdims=...)``; x itself over no axes."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x = inputs[0]
        assert x is not None
        axes = reduced_axes(row, x.ndim, inputs, attributes)
        if not axes:
            return (x.astype(np.longdouble),)
        return (function(x.astype(np.longdouble), axes, keepdims=bool(attributes["keepdims"])),)

    return reference


def reduce_log_sum_exp_exactly(
    of_floats: Callable[..., NDArray[Any]], of_integers: Callable[..., NDArray[Any]]
) -> Implementation:
    """The same of functions of float64 and of integers, which take their arrays as they are."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x = inputs[0]
        assert x is not None
        axes = reduced_axes(row, x.ndim, inputs, attributes)
        function = of_floats if x.dtype.kind == "f" else of_integers
        return (function(x, axes, keepdims=bool(attributes["keepdims"])) if axes else x.copy(),)

    return reference


def softmax_cross_entropy(
    loss_of: Callable[..., NDArray[Any]], log_softmax: Callable[..., NDArray[Any]]
) -> Implementation:
    """Make an operator of ``loss_of(scores, labels, ...)`` and ``log_softmax(scores, axis)``."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        scores, labels, weights = inputs
        loss = loss_of(scores, labels, weight=weights, **attributes)
        return (loss,) if outputs == 1 else (loss, log_softmax(scores, 1))

    return reference


def negative_log_likelihood(loss_of: Callable[..., NDArray[Any]]) -> Implementation:
    """Make an operator of ``loss_of(log_prob, labels, ...)``."""

    def reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        log_prob, labels, weight = inputs
        return (loss_of(log_prob, labels, weight=weight, **attributes),)

    return reference
