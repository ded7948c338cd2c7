"""Warnings about what stands behind what: softmax twice, logarithms of probabilities, sums in half precision."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import lint

N = helper.make_node


def model(*nodes, opset=17, dtype=TensorProto.FLOAT, inputs=(), initializers=(), functions=(), output="y"):
    x = helper.make_tensor_value_info("x", dtype, ["n", 4])
    graph = helper.make_graph(
        nodes, "g", [x, *inputs], [onnx.ValueInfoProto(name=output)], list(initializers)
    )
    domains = {(function.domain, 1) for function in functions}
    imports = [helper.make_opsetid(*entry) for entry in [("", opset), *domains]]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)


def codes(proto):
    return [warning.code for warning in lint(proto).warnings]


def run(proto, x, **more):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, {"x": x, **more})[0]


SHAPE = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 2])
FALSE, TRUE = (helper.make_tensor("training", TensorProto.BOOL, [], [value]) for value in (False, True))
RATIO = helper.make_tensor("ratio", TensorProto.FLOAT, [], [0.5])
PASSING = {
    "nothing": [N("Identity", ["p"], ["q"])],
    "casts": [N("Cast", ["p"], ["h"], to=TensorProto.FLOAT16), N("Cast", ["h"], ["q"], to=TensorProto.FLOAT)],
    "shapes": [N("Transpose", ["p"], ["t"]), N("Flatten", ["t"], ["f"]), N("Reshape", ["f", "shape"], ["q"])],
    "dropout": [N("Dropout", ["p", "ratio"], ["q"])],
    "dropout told not to train": [N("Dropout", ["p", "ratio", "training"], ["q"])],
}
SECOND = {
    "softmax-after-softmax": [("Softmax", "Softmax"), ("Softmax", "LogSoftmax")],
    "log-of-softmax": [("Softmax", "Log")],
    "log-of-sigmoid": [("Sigmoid", "Log")],
}


@pytest.mark.parametrize("between", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize(
    ("first", "second", "code"), [(*pair, code) for code, pairs in SECOND.items() for pair in pairs]
)
def test_seen_through_what_passes_on(first, second, code, between):
    proto = model(
        N(first, ["x"], ["p"], name="first"),
        *between,
        N(second, ["q"], ["y"]),
        initializers=[SHAPE, RATIO, FALSE],
    )
    (warning,) = lint(proto).warnings
    assert (warning.code, warning.node) == (code, "y")
    assert f"{first} 'first'" in warning.message


NOT_PASSING = {
    "arithmetic": [N("Mul", ["p", "ratio"], ["q"])],
    "integers": [
        N("Cast", ["p"], ["i"], to=TensorProto.INT64),
        N("Cast", ["i"], ["q"], to=TensorProto.FLOAT),
    ],
    "dropout that trains": [N("Dropout", ["p", "ratio", "training"], ["q"])],
    "the mask of a dropout": [N("Dropout", ["p"], ["d", "m"]), N("Cast", ["m"], ["q"], to=TensorProto.FLOAT)],
}


@pytest.mark.parametrize("between", NOT_PASSING.values(), ids=NOT_PASSING.keys())
@pytest.mark.parametrize(
    ("first", "second"), [pair for pairs in SECOND.values() for pair in pairs], ids="-".join
)
def test_not_seen_through_what_changes_the_numbers(first, second, between):
    proto = model(N(first, ["x"], ["p"]), *between, N(second, ["q"], ["y"]), initializers=[RATIO, TRUE])
    assert codes(proto) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("LogSoftmax", "Softmax"),  # exp undoes the logarithm
        ("LogSoftmax", "LogSoftmax"),  # of a sum that is 1 already
        ("Sigmoid", "Softmax"),
        ("Softmax", "Hardmax"),  # the largest stays the largest
        ("Softmax", "ArgMax"),
        ("LogSoftmax", "Exp"),
        ("Exp", "Log"),
        ("Softplus", "Log"),
    ],
)
def test_what_may_follow(first, second):
    assert (
        codes(
            model(
                N(first, ["x"], ["p"]), N(second, ["p"], ["y"], **({"axis": -1} if "max" in second else {}))
            )
        )
        == []
    )


def test_cross_entropy_wants_logits():
    labels = helper.make_tensor_value_info("l", TensorProto.INT64, ["n"])
    loss = N("SoftmaxCrossEntropyLoss", ["p", "l"], ["y"])
    assert codes(model(N("Softmax", ["x"], ["p"]), loss, inputs=[labels])) == ["softmax-after-softmax"]
    assert codes(model(N("LogSoftmax", ["x"], ["p"]), loss, inputs=[labels])) == []


@pytest.mark.parametrize(
    ("opset", "is_test", "expected"), [(6, 1, 1), (6, 0, 0), (7, None, 1), (10, None, 1)]
)
def test_dropout_of_old_opsets(opset, is_test, expected):
    attributes = {} if is_test is None else {"is_test": is_test}
    proto = model(
        N("Softmax", ["x"], ["p"]),
        N("Dropout", ["p"], ["q"], **attributes),
        N("Log", ["q"], ["y"]),
        opset=opset,
    )
    assert len(codes(proto)) == expected


def test_across_functions_and_branches():
    body = [N("Log", ["a"], ["b"])]
    log = helper.make_function("own", "L", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    (warning,) = lint(
        model(N("Softmax", ["x"], ["p"]), N("L", ["p"], ["y"], domain="own"), functions=[log])
    ).warnings
    assert (warning.code, warning.node, warning.where) == ("log-of-softmax", "b", "function own.L")

    softmax = helper.make_function(
        "own", "S", ["a"], ["b"], [N("Softmax", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    assert codes(model(N("S", ["x"], ["p"], domain="own"), N("Log", ["p"], ["y"]), functions=[softmax])) == [
        "log-of-softmax"
    ]

    float_ = [helper.make_tensor_value_info("o", TensorProto.FLOAT, ["n", 4])]
    captured = helper.make_graph([N("Log", ["p"], ["o"])], "then", [], float_)
    quiet = helper.make_graph([N("Identity", ["x"], ["o"])], "else", [], float_)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    choice = N("If", ["c"], ["y"], name="if", then_branch=captured, else_branch=quiet)
    (warning,) = lint(model(N("Softmax", ["x"], ["p"]), choice, inputs=[condition])).warnings
    assert (warning.code, warning.where) == ("log-of-softmax", "if.then_branch")

    made = helper.make_graph([N("Softmax", ["x"], ["o"])], "then", [], float_)
    choice = N("If", ["c"], ["p"], then_branch=made, else_branch=quiet)
    assert codes(model(choice, N("Log", ["p"], ["y"]), inputs=[condition])) == ["log-of-softmax"]


def test_behind_a_loop():
    def body(first, second):
        made = [N(first, ["s"], ["a"]), N(second, ["s"], ["b"]), N("Identity", ["c"], ["go"])]
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "sab"]
        count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
        condition, again = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("c", "go"))
        return helper.make_graph(made, "body", [count, condition, values[0]], [again, *values[1:]])

    for first, second, expected in (("Softmax", "Relu", ["log-of-softmax"]), ("Relu", "Softmax", [])):
        loop = N("Loop", ["", "", "x"], ["p", "q"], body=body(first, second))
        assert codes(model(loop, N("Log", ["p"], ["y"]))) == expected


def test_a_log_of_another_domain_is_no_logarithm():
    own = helper.make_function(
        "own", "Log", ["a"], ["b"], [N("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    nodes = [N("Softmax", ["x"], ["p"]), N("Log", ["p"], ["y"], domain="own")]
    assert codes(model(*nodes, functions=[own])) == []


def test_softmax_twice_leaves_almost_nothing():
    twice = model(N("Softmax", ["x"], ["p"]), N("Softmax", ["p"], ["y"]))
    y = run(twice, np.array([[100, 0, -100, 50]], np.float32))
    assert y.max() / y.min() <= np.e * (1 + 1e-6)


@pytest.mark.parametrize(
    ("first", "code", "cure"),
    [
        ("Softmax", "log-of-softmax", [N("LogSoftmax", ["x"], ["y"])]),
        (
            "Sigmoid",
            "log-of-sigmoid",
            [N("Neg", ["x"], ["a"]), N("Softplus", ["a"], ["b"]), N("Neg", ["b"], ["y"])],
        ),
    ],
)
def test_the_logarithm_is_infinite_and_the_cure_is_not(first, code, cure):
    trap = model(N(first, ["x"], ["p"]), N("Log", ["p"], ["y"]))
    x = np.array([[-150, 0, 1, 2]], np.float32)
    assert codes(trap) == [code]
    assert codes(model(*cure)) == []
    before, after = run(trap, x), run(model(*cure), x)
    assert before[0, 0] == -np.inf
    np.testing.assert_allclose(before[:, 1:], after[:, 1:], rtol=1e-5, atol=1e-6)
    assert -153 < after[0, 0] < -149
