"""A call of every operator at every version and dtype, and what becomes of it in each runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from softops.opset import Operator
from softops.opset.operators.signature import dtype_named

from .coverage_runners import Runner

RIGHT, WRONG, REFUSED = "right", "wrong", "refused"
# A probe asks whether the meaning is right, so far as its dtype can tell: halves have 11 and 8 bits.
TOLERANCE = {"float16": 2.0**-8, "bfloat16": 2.0**-5}
_IR = 13


class Call:
    """The inputs and attributes of one node."""

    def __init__(self, inputs: Sequence[NDArray[Any] | None], **attributes: Any) -> None:
        self.inputs = list(inputs)
        self.attributes = attributes


def probe(row: Operator, dtype_name: str) -> Call:
    """Return a call in which versions differ: rank 3 and axis 1, or the operator's own shape."""
    dtype = dtype_named(dtype_name)
    random = np.random.default_rng(0)
    x = random.uniform(0, 4, (2, 3, 4)).astype(dtype)
    labels = random.integers(0, 3, (2, 4))
    scale = np.array(0.05, np.float32)
    calls = {
        "ReduceLogSumExp": lambda: (
            Call([x], axes=[1]) if row.since_version < 18 else Call([x, np.array([1])])
        ),
        "SoftmaxCrossEntropyLoss": lambda: Call([x, labels], ignore_index=0),
        "NegativeLogLikelihoodLoss": lambda: Call([-x, labels], ignore_index=0),
        "TopK": lambda: (
            Call([x], axis=1, k=2) if row.since_version < 10 else Call([x, np.array([2])], axis=1)
        ),
        "Multinomial": lambda: Call([np.array([[1, -np.inf], [-np.inf, 1]]).astype(dtype)], sample_size=3),
        "Attention": lambda: Call([x[None]] * 3, is_causal=1),
        "LinearClassifier": lambda: Call(
            [x[0]],
            coefficients=[0.5, 0.25, 0.125, 1.0, 0.0, 0.5, 1.0, 0.25],
            intercepts=[0.5, 0.25],
            classlabels_ints=[4, 2],
            post_transform="SOFTMAX",
        ),
        "Normalizer": lambda: Call([x[0] + 1], norm="L2"),
        "QLinearSoftmax": lambda: Call(
            [x * 20, scale, np.array(9, dtype), np.array(1 / 256, np.float32), np.array(0, dtype)],
            axis=1,
            opset=13,
        ),
        "QLinearSigmoid": lambda: Call(
            [x * 20, scale, np.array(9, dtype), np.array(1 / 256, np.float32), np.array(0, dtype)]
        ),
    }
    if row.op_type in calls:
        return calls[row.op_type]()
    return Call([x], axis=1) if "axis" in row.attributes else Call([x])


def model_of(row: Operator, call: Call, opset: int | None = None) -> onnx.ModelProto:
    """Return a model of the one node."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(call.inputs)]
    outputs = [p.name for p in row.outputs if not p.optional]
    node = helper.make_node(row.op_type, names, outputs, domain=row.domain, **call.attributes)
    graph = helper.make_graph(
        [node],
        "probe",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in zip(names, call.inputs, strict=True)
            if x is not None
        ],
        [
            helper.make_tensor_value_info(name, _element_type(value), value.shape)
            for name, value in zip(outputs, exact(row, call), strict=True)
        ],
    )
    version = row.since_version if opset is None else opset
    opsets = {"": version} if not row.domain else {"": 17, row.domain: version}
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*o) for o in opsets.items()], ir_version=_IR
    )


def exact(row: Operator, call: Call) -> tuple[NDArray[Any], ...]:
    """Return the oracle's outputs."""
    count = sum(not p.optional for p in row.outputs)
    return row.evaluate(call.inputs, call.attributes, outputs=count)


def outcome(row: Operator, call: Call, runner: Runner) -> str:
    """Say whether a runtime gives the oracle's outputs, others, or none."""
    expected = exact(row, call)
    try:
        actual = runner.run(model_of(row, call), [x for x in call.inputs if x is not None])
    except Exception:  # whatever stops a runtime, it gave nothing
        return REFUSED
    return RIGHT if all(map(_close, actual, expected)) else WRONG


def _close(actual: Any, expected: NDArray[Any]) -> bool:
    actual = np.asarray(actual)
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return False
    if expected.dtype.kind in "iu":
        # One step for the quantized operators, which round near ties either way; indices are far apart.
        slack = 1 if expected.dtype.itemsize == 1 else 0
        return bool((np.abs(actual.astype(np.int64) - expected.astype(np.int64)) <= slack).all())
    if expected.dtype.kind == "O":
        return bool((actual == expected).all())
    tolerance = TOLERANCE.get(expected.dtype.name, 1e-5)
    wide = actual.astype(np.float64), expected.astype(np.float64)
    return bool(np.allclose(*wide, rtol=tolerance, atol=tolerance / 8, equal_nan=True))


def _element_type(value: NDArray[Any]) -> int:
    if value.dtype.kind == "O":
        return int(onnx.TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))
