"""
The oracle: what each operator is worth, by its textbook formula in extended precision.

Results are `numpy.longdouble`, unrounded, or rounded once to the dtype asked for. Nothing here is shared
with the kernels, and nothing is clever beyond what exactness needs. `evaluate` takes a node or an operator;
the functions beside it take arrays.

Precision. What `evaluate` rounds is the exact value rounded once: for float64 and integers it is computed in arbitrary
precision (some 50 us an element), for all other dtypes the extended precision below is
enough. Of Attention, LinearClassifier and Normalizer all results come from extended precision.

Extended precision. Where `numpy.longdouble` has a significand of 64 bits (x86) or 113 (most 64-bit Arm on Linux) the
results are good to a few units of that, for inputs of any dtype up to float64: 2^-61 relative at 64 bits,
so that a rounding to float64 is wrong only for values within 2^-8 ULP of a tie. Where longdouble is float64
(Windows, macOS on Arm; `MANTISSA_BITS` is 53) the oracle still is one for float16, bfloat16 and float32,
and for float64 it is no better than a careful float64 program.

Special values. A NaN in a row makes the whole row NaN, and so does +inf (softmax, log_softmax); a row of
nothing but -inf is NaN; -inf beside finite values gives 0 (softmax) and -inf (log_softmax). hardmax picks
the first maximum, or the first NaN. logsumexp of a row of -inf, or of an empty row, is -inf, and of one with
+inf it is +inf. Otherwise an empty axis gives an empty result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import ArrayLike, NDArray

from .operators.row import Attributes
from .operators.table import operator
from .oracle.elementwise import log_sigmoid, sigmoid, softplus
from .oracle.gradients import log_softmax_grad, sigmoid_grad, softmax_grad
from .oracle.losses import cross_entropy, nll_loss
from .oracle.softmax import MANTISSA_BITS, hardmax, log_softmax, logsumexp, softmax

__all__ = [
    "MANTISSA_BITS",
    "cross_entropy",
    "evaluate",
    "hardmax",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_grad",
    "logsumexp",
    "nll_loss",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_grad",
    "softplus",
]


def evaluate(
    node_or_op: onnx.NodeProto | str,
    inputs: Sequence[ArrayLike | None],
    opset: int,
    *,
    attributes: Attributes | None = None,
    domain: str | None = None,
    outputs: int | None = None,
    rounded: bool = True,
) -> tuple[NDArray[Any], ...]:
    """
    Evaluate one operator exactly.

    Parameters
    ----------
    node_or_op
        A node, or the name of an operator, such as ``"Softmax"``.
    inputs
        Arrays in the order of the operator's inputs, None for one left out.
    opset
        Version of the operator's domain.
    attributes
        By name, beside the name of an operator; a node has its own.
    domain
        The operator's domain, beside its name; ai.onnx by default.
    outputs
        How many outputs to return; by default as many as the node names, or one.
    rounded
        Round each result once to the dtype of the output; False leaves it in `numpy.longdouble`.

    Returns
    -------
    tuple of ndarray
        The outputs.

    Raises
    ------
    UnknownOperatorError, UnknownOpsetError
        The table has no such operator, or not at that opset.
    TypeError, ValueError, numpy.exceptions.AxisError
        As for `softops.opset.Operator.run`.
    """
    if not isinstance(node_or_op, onnx.NodeProto):
        row = operator(node_or_op, opset, domain or "")
        return row.evaluate(inputs, attributes, outputs=outputs or 1, rounded=rounded)
    if attributes is not None or domain is not None:
        message = (
            "expected a node alone, which has attributes and a domain of its own; pass its op_type instead"
        )
        raise TypeError(message)
    row = operator(node_or_op.op_type, opset, node_or_op.domain)
    own = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node_or_op.attribute}
    return row.evaluate(inputs, own, outputs=outputs or len(node_or_op.output), rounded=rounded)
