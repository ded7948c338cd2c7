"""The models that are changed: small ones of every kind that softops reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper, parser

N = helper.make_node


def floats(
    name: str, shape: Sequence[int | str | None] | None, kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """Declare a value, of float32 unless said otherwise."""
    return helper.make_tensor_value_info(name, kind, shape)


def draw(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return numbers, always the same."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def model(
    nodes: Sequence[NodeProto],
    x: onnx.ValueInfoProto,
    y: onnx.ValueInfoProto,
    opset: int = 13,
    constants: Mapping[str, Any] | None = None,
    **more: Any,
) -> onnx.ModelProto:
    """Return a model of these nodes from ``x`` to ``y``."""
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "g", [x], [y], held)
    imports = [
        helper.make_opsetid("", opset),
        helper.make_opsetid("ai.onnx.ml", 3),
        helper.make_opsetid("own", 1),
    ]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, **more)


def seeds() -> dict[str, onnx.ModelProto]:
    """Return the models by name."""
    rows, classes = floats("x", ["N", 4]), floats("y", ["N", 3])
    weights = {"W": draw(4, 3), "b": draw(3)}
    gemm = N("Gemm", ["x", "W", "b"], ["l"], name="gemm")
    return {
        "softmax": model([N("Softmax", ["x"], ["y"], axis=1)], rows, floats("y", ["N", 4])),
        "classifier": model([gemm, N("Softmax", ["l"], ["y"], name="softmax")], rows, classes, 13, weights),
        "flattened": model(
            [N("Flatten", ["x"], ["f"]), N("MatMul", ["f", "W"], ["l"]), N("LogSoftmax", ["l"], ["y"])],
            rows,
            classes,
            11,
            weights,
        ),
        "spelled out": _spelled_out(),
        "labels": model(
            [gemm, N("Softmax", ["l"], ["p"]), N("ArgMax", ["p"], ["y"], axis=1, keepdims=0)],
            rows,
            floats("y", ["N"], TensorProto.INT64),
            13,
            weights,
        ),
        "branches": _branches(),
        "function": _function(),
        "loop": _loop(),
        "quantized": _quantized(),
        "image": model(
            [
                N("Conv", ["x", "K"], ["c"], pads=[1, 1, 1, 1]),
                N("Relu", ["c"], ["r"]),
                N("GlobalAveragePool", ["r"], ["a"]),
                N("Reshape", ["a", "shape"], ["f"]),
                N("Sigmoid", ["f"], ["y"]),
            ],
            floats("x", ["N", 2, 5, 5]),
            floats("y", ["N", 3]),
            17,
            {"K": draw(3, 2, 3, 3), "shape": np.array([-1, 3])},
        ),
        "linear classifier": _linear_classifier(),
        "attention": model(
            [
                N("MatMul", ["x", "W"], ["q"]),
                N("Attention", ["q", "q", "q"], ["y"], q_num_heads=1, kv_num_heads=1),
            ],
            floats("x", [1, 3, 4]),
            floats("y", [1, 3, 4]),
            23,
            {"W": draw(4, 4)},
        ),
        "layers": model(
            [
                N("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
                N("MatMul", ["x", "t"], ["s"]),
                N("Div", ["s", "two"], ["d"]),
                N("Where", ["kept", "d", "two"], ["m"]),
                N("Softmax", ["m"], ["p"], axis=-1),
                N("MatMul", ["p", "x"], ["a"]),
                N("ReduceMean", ["a"], ["c"], axes=[-1]),
                N("Sub", ["a", "c"], ["z"]),
                N("Pow", ["z", "two"], ["q"]),
                N("ReduceMean", ["q"], ["v"], axes=[-1]),
                N("Add", ["v", "two"], ["e"]),
                N("Sqrt", ["e"], ["r"]),
                N("Div", ["z", "r"], ["n"]),
                N("Mul", ["n", "b"], ["w"]),
                N("Add", ["w", "b"], ["y"]),
            ],
            floats("x", [1, 3, 4]),
            floats("y", [1, 3, 4]),
            17,
            {"two": np.float32(2), "b": draw(4), "kept": np.ones((3, 3), bool)},
        ),
        "loss": model(
            [gemm, N("SoftmaxCrossEntropyLoss", ["l", "t"], ["y"], reduction="mean")],
            floats("x", [2, 4]),
            floats("y", []),
            13,
            weights | {"t": np.array([0, 2])},
        ),
        "top k": model(
            [gemm, N("Softmax", ["l"], ["p"]), N("TopK", ["p", "k"], ["y", "i"], axis=-1)],
            rows,
            floats("y", ["N", 2]),
            13,
            weights | {"k": np.array([2])},
        ),
    }


def _spelled_out() -> onnx.ModelProto:
    nodes = [
        N("ReduceMax", ["x"], ["m"], axes=[-1], keepdims=1),
        N("Sub", ["x", "m"], ["s"]),
        N("Exp", ["s"], ["e"]),
        N("ReduceSum", ["e", "axes"], ["t"], keepdims=1),
        N("Div", ["e", "t"], ["y"]),
    ]
    return model(nodes, floats("x", ["N", 4]), floats("y", ["N", 4]), 13, {"axes": np.array([-1])})


def _branches() -> onnx.ModelProto:
    soft = helper.make_graph([N("Softmax", ["x"], ["t"])], "then", [], [floats("t", ["N", 4])])
    hard = helper.make_graph([N("Hardmax", ["x"], ["e"])], "else", [], [floats("e", ["N", 4])])
    nodes = [
        N("ReduceMax", ["x"], ["m"], keepdims=0),
        N("Greater", ["m", "zero"], ["c"]),
        N("If", ["c"], ["y"], then_branch=soft, else_branch=hard),
    ]
    return model(nodes, floats("x", ["N", 4]), floats("y", ["N", 4]), 13, {"zero": np.float32(0)})


def _function() -> onnx.ModelProto:
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    soft = N("Softmax", ["a"], ["s"])
    soft.attribute.append(onnx.AttributeProto(name="axis", ref_attr_name="dim", type=onnx.AttributeProto.INT))
    inner = helper.make_function(
        "own", "Soft", ["a"], ["b"], [soft, N("Log", ["s"], ["b"])], imports, ["dim"]
    )
    calls = [N("Soft", ["a"], ["t"], domain="own", dim=1), N("Exp", ["t"], ["b"])]
    outer = helper.make_function("own", "Twice", ["a"], ["b"], calls, imports)
    nodes = [N("Twice", ["x"], ["y"], domain="own")]
    return model(nodes, floats("x", ["N", 4]), floats("y", ["N", 4]), functions=[outer, inner])


def _loop() -> onnx.ModelProto:
    return parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 13]>
        g (float[N, 4] x) => (float[N, 4] y) {
            n = Constant <value_int = 2> ()
            c = Constant <value = bool {1}> ()
            y = Loop (n, c, x) <body = b (int64 i, bool c_in, float[N, 4] v) => (bool c_out, float[N, 4] w) {
                c_out = Identity (c_in)
                w = Softmax <axis = -1> (v)
            }>
        }""")


def _quantized() -> onnx.ModelProto:
    nodes = [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]),
        N("DequantizeLinear", ["q", "s", "z"], ["d"]),
        N("MatMul", ["d", "W"], ["l"]),
        N("Softmax", ["l"], ["y"]),
    ]
    constants = {"W": draw(4, 3), "s": np.float32(0.03), "z": np.uint8(128)}
    return model(nodes, floats("x", ["N", 4]), floats("y", ["N", 3]), 13, constants)


def _linear_classifier() -> onnx.ModelProto:
    attributes: dict[str, Any] = {
        "coefficients": draw(12).tolist(),
        "intercepts": [0.0, 0.5, -0.5],
        "classlabels_ints": [0, 1, 2],
        "post_transform": "SOFTMAX",
    }
    nodes = [
        N("LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", **attributes),
        N("Normalizer", ["p"], ["y"], domain="ai.onnx.ml", norm="L1"),
    ]
    return model(nodes, floats("x", ["N", 4]), floats("y", ["N", 3]))
