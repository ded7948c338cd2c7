"""Operators that are spelled out by others, and what else gives probabilities: classifiers told to normalise."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from softops.opset import lint

N = helper.make_node
EXP, SUM = N("Exp", ["x"], ["e"]), N("ReduceSum", ["e", "axis"], ["s"])
DROPPED = [N("ReduceSum", ["e", "axis"], ["d"], keepdims=0), N("Unsqueeze", ["d", "axis"], ["s"])]
NEG = [N("Neg", ["x"], ["n"]), N("Exp", ["n"], ["e"]), N("Add", ["one", "e"], ["s"])]
SPELLED = {
    "softmax": ("Softmax", [EXP, SUM, N("Div", ["e", "s"], ["p"])]),
    "softmax, its axis put back": ("Softmax", [EXP, *DROPPED, N("Div", ["e", "s"], ["p"])]),
    "log-sum-exp": ("ReduceLogSumExp", [EXP, SUM, N("Log", ["s"], ["p"])]),
    "sigmoid": ("Sigmoid", [*NEG, N("Reciprocal", ["s"], ["p"])]),
    "softplus": ("Softplus", [*NEG, N("Log", ["s"], ["p"])]),
}


def model(*nodes, ml=1):
    held = [numpy_helper.from_array(np.array([1]), "axis"), numpy_helper.from_array(np.float32(1), "one")]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 4]), ("y", None))
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], held)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", ml)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def warnings(proto, code):
    return [warning for warning in lint(proto).warnings if warning.code == code]


@pytest.mark.parametrize("case", SPELLED)
def test_what_is_spelled_out_is_named(case):
    op_type, nodes = SPELLED[case]
    (warning,) = warnings(model(*nodes, N("Neg", ["p"], ["y"])), "spelled-out")
    assert warning.node == "p"
    assert f"{op_type} of " in warning.message
    assert "softops export fuse" in warning.cure


@pytest.mark.parametrize(
    "nodes",
    [
        [N("Softmax", ["x"], ["y"])],
        [EXP, SUM, N("Div", ["s", "e"], ["y"])],
        [EXP, N("ReduceSum", ["x", "axis"], ["s"]), N("Div", ["e", "s"], ["y"])],
        # These have a rule of their own.
        [N("Sigmoid", ["x"], ["p"]), N("Log", ["p"], ["y"])],
        [N("Softmax", ["x"], ["p"]), N("Log", ["p"], ["y"])],
    ],
)
def test_what_is_not(nodes):
    assert not warnings(model(*nodes), "spelled-out")


def test_a_spelled_out_softmax_gives_probabilities():
    _, nodes = SPELLED["softmax, its axis put back"]
    (warning,) = warnings(model(*nodes, N("Softmax", ["p"], ["y"])), "softmax-after-softmax")
    assert "a spelled-out Softmax that ends in 'p' has normalised already" in warning.message
    assert not warnings(
        model(*NEG, N("Reciprocal", ["s"], ["p"]), N("Softmax", ["p"], ["y"])), "softmax-after-softmax"
    )


@pytest.mark.parametrize("post_transform", [None, "NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize("output", ["label", "scores"])
def test_which_scores_of_a_classifier_sum_to_one(post_transform, output):
    """Those of a softmax, and of one that leaves zeros alone; not those of functions of one score each."""
    told = {} if post_transform is None else {"post_transform": post_transform}
    weights = {
        "coefficients": [1.0, 0, 0, 0, 0, 1, 0, 0],
        "intercepts": [0.0, 0.0],
        "classlabels_ints": [0, 1],
    }
    classifier = N("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **weights, **told)
    proto = model(classifier, N("Cast", [output], ["c"], to=TensorProto.FLOAT), N("Softmax", ["c"], ["y"]))
    found = warnings(proto, "softmax-after-softmax")
    assert bool(found) == (output == "scores" and post_transform in ("SOFTMAX", "SOFTMAX_ZERO"))
    assert all(f"post_transform={post_transform}" in warning.message for warning in found)


@pytest.mark.parametrize(
    ("op_type", "post_transform", "sums"),
    [
        ("LinearRegressor", "SOFTMAX", True),
        ("LinearRegressor", "LOGISTIC", False),
        ("TreeEnsembleRegressor", "SOFTMAX_ZERO", True),
        ("TreeEnsemble", 1, True),
        ("TreeEnsemble", 2, False),
        ("TreeEnsemble", 3, True),
        ("TreeEnsemble", 0, False),
    ],
)
def test_which_outputs_of_a_regressor_sum_to_one(op_type, post_transform, sums):
    regressor = N(op_type, ["x"], ["s"], domain="ai.onnx.ml", post_transform=post_transform)
    found = warnings(model(regressor, N("Softmax", ["s"], ["y"]), ml=5), "softmax-after-softmax")
    assert bool(found) == sums
