"""Small random graphs: fuse and decompose keep what a model computes, and undo each other."""

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from softops.export import append_head, decompose, fuse, strip_head
from softops.opset.backend import prepare

SHAPE = (2, 3, 4)
FAMILY = ["Softmax", "LogSoftmax", "ReduceLogSumExp", "Sigmoid", "Softplus", "Softsign"]
OTHERS = ["Neg", "Abs", "Tanh", "Exp", "Log", "Add", "Sub", "Mul", "Div", "Reciprocal", "Relu"]
OPSETS = [8, 9, 11, 12, 13, 17, 18, 21, onnx.defs.onnx_opset_version()]


@st.composite
def models(draw, ops):
    """A model of up to 12 nodes of one shape, or of that with an axis of length 1; some values are outputs."""
    opset = draw(st.sampled_from(OPSETS))
    values, nodes = ["x"], []
    for i in range(draw(st.integers(1, 12))):
        op = draw(st.sampled_from(ops))
        inputs = [
            draw(st.sampled_from(values)) for _ in range(2 if op in ("Add", "Sub", "Mul", "Div") else 1)
        ]
        attributes = {}
        if op.endswith("Softmax"):
            attributes["axis"] = draw(st.integers(0, 2))
        if op == "ReduceLogSumExp" and opset < 18:
            attributes["axes"] = [draw(st.integers(0, 2))]
        nodes.append(helper.make_node(op, inputs, [f"v{i}"], **attributes))
        values.append(f"v{i}")
    names = draw(st.lists(st.sampled_from(values[1:]), min_size=1, unique=True))
    if values[-1] not in names:
        names.append(values[-1])
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, SHAPE)
    outputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["a", "b", "c"]) for name in names]
    graph = helper.make_graph(nodes, "random", [x], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model):
    x = np.random.default_rng(0).standard_normal(SHAPE)
    return prepare(model).run({"x": x})


def expect_close(actual, expected):
    for before, after in zip(expected, actual, strict=True):
        known = np.isfinite(before)  # elsewhere an operator may be right where the expression is not
        np.testing.assert_allclose(after[known], before[known], rtol=1e-6, atol=1e-9)


def count(model, ops):
    return sum(node.op_type in ops for node in model.graph.node)


@settings(max_examples=60, deadline=None)
@given(model=models(FAMILY))
def test_fuse_undoes_decompose(model):
    used = sorted({node.op_type for node in model.graph.node})
    simple = decompose(model, used)
    assert count(simple, FAMILY) == 0
    expect_close(run(simple), run(model))
    whole = fuse(simple)
    expect_close(run(whole), run(model))
    # Operators on operators may have become one more: never are there more than before.
    assert {node.op_type for node in whole.graph.node} <= {*FAMILY, "Constant"}
    assert len([n for n in whole.graph.node if n.op_type != "Constant"]) <= len(model.graph.node)


@settings(max_examples=150, deadline=None)
@given(model=models([*FAMILY, *OTHERS]))
def test_fusing_keeps_every_output(model):
    fused = fuse(model)
    assert [value.name for value in fused.graph.output] == [value.name for value in model.graph.output]
    assert len(fused.graph.node) <= len(model.graph.node)
    expect_close(run(fused), run(model))
    assert fuse(fused) == fused


@settings(max_examples=60, deadline=None)
@given(
    model=models([op for op in OTHERS if op != "Log"]),
    activation=st.sampled_from(["softmax", "log_softmax", "sigmoid", "argmax", "none"]),
    axis=st.integers(-3, 2),
    k=st.integers(1, 2),
)
def test_heads_leave_the_rest_alone_and_come_off_again(model, activation, axis, k):
    output = model.graph.output[0].name
    headed = append_head(model, output, activation=activation, axis=axis, top_k=k)
    before, after = run(model), run(headed)
    for left, right in zip(before, after, strict=False):
        assert left.tobytes() == right.tobytes()
    best = after[-1]
    logits = before[0]
    if not np.isnan(logits).any():  # whose place among the k largest ONNX leaves open
        np.testing.assert_array_equal(
            best, np.argsort(-logits, axis=axis, kind="stable").take(range(k), axis)
        )
    assert strip_head(headed).graph == model.graph
