"""Outputs named like probabilities: quiet where something normalises them, said where nothing does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from softops.export import classifier_head
from softops.opset import lint
from softops.opset.lint.outputs import is_named_like_probabilities

N = helper.make_node
ML = "ai.onnx.ml"
FLOAT = TensorProto.FLOAT
LINEAR = {"domain": ML, "coefficients": [1.0] * 8, "intercepts": [0.0, 0.0], "classlabels_ints": [0, 1]}
ZIPMAP = N("ZipMap", ["z"], ["probabilities"], domain=ML, classlabels_int64s=[0, 1])
ONE = helper.make_tensor("one", FLOAT, [], [1.0])


def model(*nodes, output="probabilities"):
    inputs = [
        helper.make_tensor_value_info("x", FLOAT, ["n", 4]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    ]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=output)], [ONE])
    imports = [helper.make_opsetid(*entry) for entry in (("", 17), (ML, 3), ("com.example", 1))]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def found(proto):
    return [warning for warning in lint(proto).warnings if warning.code == "not-a-probability"]


def branches(first, second):
    graphs = [
        helper.make_graph(
            [N(op, ["x"], ["o"])], name, [], [helper.make_tensor_value_info("o", FLOAT, ["n", 4])]
        )
        for name, op in (("then", first), ("else", second))
    ]
    return N("If", ["c"], ["probabilities"], then_branch=graphs[0], else_branch=graphs[1])


P = "probabilities"
NORMALISED = {
    "softmax": [N("Softmax", ["x"], [P])],
    "sigmoid, cast and reshaped": [
        N("Sigmoid", ["x"], ["a"]),
        N("Cast", ["a"], ["b"], to=10),
        N("Flatten", ["b"], [P]),
    ],
    "classifier and zipmap": [
        N("LinearClassifier", ["x"], ["l", "z"], post_transform="SOFTMAX", **LINEAR),
        ZIPMAP,
    ],
    "normalizer and zipmap": [
        N("LinearClassifier", ["x"], ["l", "s"], post_transform="LOGISTIC", **LINEAR),
        N("Normalizer", ["s"], ["z"], domain=ML, norm="L1"),
        ZIPMAP,
    ],
    "exp of log_softmax": [N("LogSoftmax", ["x"], ["a"]), N("Exp", ["a"], [P])],
    "exp of x - logsumexp": [
        N("ReduceLogSumExp", ["x"], ["a"], axes=[1]),
        N("Sub", ["x", "a"], ["b"]),
        N("Exp", ["b"], [P]),
    ],
    "written out": [N("Exp", ["x"], ["a"]), N("ReduceSum", ["a"], ["b"]), N("Div", ["a", "b"], [P])],
    "both sides of a sigmoid": [
        N("Sigmoid", ["x"], ["a"]),
        N("Sub", ["one", "a"], ["b"]),
        N("Concat", ["b", "a"], [P], axis=1),
    ],
    "mean of an ensemble": [
        N("Softmax", ["x"], ["a"]),
        N("Softmax", ["x"], ["b"]),
        N("Add", ["a", "b"], ["s"]),
        N("Div", ["s", "one"], [P]),
    ],
    "mean by a computed number": [
        N("Softmax", ["x"], ["a"]),
        N("Shape", ["x"], ["s"]),
        N("Cast", ["s"], ["k"], to=1),
        N("Div", ["a", "k"], [P]),
    ],
    "the largest": [N("Softmax", ["x"], ["a"]), N("ReduceMax", ["a"], [P])],
    "both branches": [branches("Softmax", "Sigmoid")],
    "a custom operator": [N("Magic", ["x"], [P], domain="com.example")],
    "an input": [N("Identity", ["x"], [P])],
    "a label": [N("ArgMax", ["x"], [P])],
}
NOT_NORMALISED = {
    "linear": ([N("MatMul", ["x", "x"], [P])], "MatMul"),
    "moved only": ([N("Relu", ["x"], ["a"]), N("Transpose", ["a"], [P])], "Relu"),
    "log_softmax": ([N("LogSoftmax", ["x"], [P])], "LogSoftmax"),
    "classifier without transform": (
        [N("LinearClassifier", ["x"], ["l", "z"], **LINEAR), ZIPMAP],
        "LinearClassifier",
    ),
    "exp alone": ([N("Exp", ["x"], [P])], "Exp"),
    "scaled logits": ([N("Gemm", ["x", "x"], ["a"]), N("Div", ["a", "one"], [P])], "Div"),
    "one branch": ([branches("Softmax", "Tanh")], "Tanh"),
    "softmax mixed with scores": (
        [N("Softmax", ["x"], ["a"]), N("Relu", ["x"], ["b"]), N("Mul", ["a", "b"], [P])],
        "Mul",
    ),
}


@pytest.mark.parametrize("nodes", NORMALISED.values(), ids=NORMALISED.keys())
def test_normalised(nodes):
    assert found(model(*nodes)) == []


@pytest.mark.parametrize(("nodes", "maker"), NOT_NORMALISED.values(), ids=NOT_NORMALISED.keys())
def test_not_normalised(nodes, maker):
    (warning,) = found(model(*nodes))
    assert f"{maker} '" in warning.message
    assert "Softmax" in warning.cure


def test_the_same_under_another_name_is_quiet():
    assert found(model(N("Relu", ["x"], ["logits"]), output="logits")) == []


LIKE = [
    "probs",
    "output_probability",
    "class_probabilities:0",
    "predictProba",
    "Probability",
    "softmax_1",
    "head/prob",
]
UNLIKE = [
    "logits",
    "log_probs",
    "logProbs",
    "label",
    "probe",
    "improbable",
    "problem",
    "probabilities_label",
    "",
    "42",
]


def test_names():
    assert [name for name in LIKE + UNLIKE if is_named_like_probabilities(name)] == LIKE


def test_our_own_heads_are_quiet():
    weight = np.ones((3, 4), np.float32)
    for opset in (7, 12, 13, 17):
        assert lint(classifier_head(weight, opset=opset)).warnings == ()


def test_a_deep_chain_and_a_shared_one_end():
    deep = [N("Relu", ["x"], ["v0"]), *(N("Identity", [f"v{i}"], [f"v{i + 1}"]) for i in range(3000))]
    assert len(found(model(*deep, N("Identity", ["v3000"], [P])))) <= 1
    shared = [N("Relu", ["x"], ["v0"]), *(N("Add", [f"v{i}"] * 2, [f"v{i + 1}"]) for i in range(60))]
    assert len(found(model(*shared, N("Identity", ["v60"], [P])))) == 1
