"""SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..oracle import arbitrary_precision, losses, softmax
from ..oracle.arbitrary_precision import to_odd
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import INDICES, Attribute, Parameter, floats

_cross_entropy_kernel = numba_kernel("cross_entropy")


def _cross_entropy(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    scores, labels, weights = inputs
    wanted = outputs > 1
    result = _cross_entropy_kernel(scores, labels, weight=weights, return_log_prob=wanted, **attributes)
    return tuple(map(np.asarray, result if wanted else (result,)))


def _cross_entropy_by(loss_of: Callable[..., Any], log_softmax: Callable[..., Any]) -> Implementation:
    """Make an operator of ``loss_of(scores, labels, ...)`` and ``log_softmax(scores, axis)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        scores, labels, weights = inputs
        loss = loss_of(scores, labels, weight=weights, **attributes)
        return (loss,) if outputs == 1 else (loss, log_softmax(scores, 1))

    return run


def _likelihood_by(loss_of: Callable[..., Any]) -> Implementation:
    """Make an operator of ``loss_of(log_prob, labels, ...)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        log_prob, labels, weights = inputs
        return (np.asarray(loss_of(log_prob, labels, weight=weights, **attributes)),)

    return run


def _loss(op_type: str, since_version: int, names: tuple[str, str, str], **more: Any) -> Operator:
    scores, labels, weights = names
    return Operator(
        op_type=op_type,
        since_version=since_version,
        axis_rule="single",
        default_axis=1,
        inputs=(Parameter(scores, "T"), Parameter(labels, "Tind"), Parameter(weights, "T", optional=True)),
        attributes={"ignore_index": Attribute("int"), "reduction": Attribute("string", "mean")},
        notes=(
            "A mean without a single label that counts (or of weight 0 in all) is NaN: 0 / 0. onnxruntime gives 0 "
            "where there are no labels at all.",
            "With ignore_index the mean divides by the number, or the weight, of the labels that count, as the "
            "function body does; the text speaks of the number of elements.",
            "A label outside [0, C) that is not ignored is an error.",
        ),
        **more,
    )


def _softmax_cross_entropy(since_version: int, *, bfloat16: bool) -> Operator:
    return _loss(
        "SoftmaxCrossEntropyLoss",
        since_version,
        ("scores", "labels", "weights"),
        types={"T": floats(bfloat16), "Tind": INDICES},
        outputs=(Parameter("output", "T"), Parameter("log_prob", "T", optional=True)),
        kernel=_cross_entropy,
        reference=_cross_entropy_by(losses.cross_entropy, softmax.log_softmax),
        reference_float64=_cross_entropy_by(
            to_odd(arbitrary_precision.cross_entropy), to_odd(arbitrary_precision.log_softmax)
        ),
    )


def _negative_log_likelihood(since_version: int, *, bfloat16: bool) -> Operator:
    return _loss(
        "NegativeLogLikelihoodLoss",
        since_version,
        ("input", "target", "weight"),
        types={"T": floats(bfloat16), "Tind": INDICES},
        outputs=(Parameter("loss", "T"),),
        kernel=_likelihood_by(numba_kernel("nll_loss")),
        reference=_likelihood_by(losses.nll_loss),
        reference_float64=_likelihood_by(to_odd(arbitrary_precision.nll_loss)),
    )


ROWS: tuple[Operator, ...] = (
    _softmax_cross_entropy(12, bfloat16=False),
    _softmax_cross_entropy(13, bfloat16=True),
    _negative_log_likelihood(12, bfloat16=False),
    _negative_log_likelihood(13, bfloat16=False),
    _negative_log_likelihood(22, bfloat16=True),
)
