"""An operator has the version that the place it stands in imports: model, branch, loop or function."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError, operator
from softops.opset.backend import prepare

X = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
FLAT = operator("Softmax", 11).compute(X)
LAST = operator("Softmax", 13).compute(X)


def parse(text):
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    return model


def onnxruntime_outputs(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=5e-7)  # both float32, other formulas


def test_the_two_rules_differ_here():
    assert np.abs(FLAT - LAST).max() > 0.1


def test_default_axis_of_opset_9_on_rank_4(model_of):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    model = model_of("Softmax", 9, 4)
    (y,) = prepare(model).run([x])
    assert y.shape == x.shape
    np.testing.assert_allclose(y.sum((1, 2, 3)), 1, rtol=1e-6)
    assert_close(y, onnxruntime_outputs(model, {"x": x})[0])


BRANCHES = """
    <ir_version: 8, opset_import: ["" : %d]>
    agraph (bool c, float[2,3,4] x) => (float[2,3,4] y) {
        y = If (c) <then_branch = a () => (float[2,3,4] t) { t = Softmax (x) },
                    else_branch = b () => (float[2,3,4] e) { e = LogSoftmax <axis = 0> (x) }>
    }
"""

LOOP = """
    <ir_version: 8, opset_import: ["" : %d]>
    agraph (float[2,3,4] x) => (float[2,3,4] y) {
        n = Constant <value = int64 {3}> ()
        t = Constant <value = bool {1}> ()
        y = Loop (n, t, x) <body = step (int64 i, bool c, float[2,3,4] v) => (bool d, float[2,3,4] w) {
            d = Identity (c)
            w = Softmax (v)
        }>
    }
"""


@pytest.mark.parametrize("opset", [11, 12, 13, 17])
def test_versions_hold_in_subgraphs(opset):
    branches, loop = parse(BRANCHES % opset), parse(LOOP % opset)
    for condition in (True, False):
        feeds = {"c": np.array(condition), "x": X}
        assert_close(prepare(branches).run(feeds)[0], onnxruntime_outputs(branches, feeds)[0])
    assert_close(prepare(loop).run([X])[0], onnxruntime_outputs(loop, {"x": X})[0])


FUNCTION = """
    <ir_version: 8, opset_import: ["" : %d, "local" : 1]>
    agraph (float[2,3,4] x) => (float[2,3,4] y, float[2,3,4] z) {
        y = local.f (x)
        z = Softmax (x)
    }
    <domain: "local", opset_import: ["" : %d]>
    f (v) => (w) { w = Softmax (v) }
"""


@pytest.mark.parametrize("opset", [11, 13])
def test_function_of_the_model(opset):
    model = parse(FUNCTION % (opset, opset))
    y, z = prepare(model).run([X])
    np.testing.assert_array_equal(y, z)
    assert_close(y, onnxruntime_outputs(model, {"x": X})[0])


@pytest.mark.parametrize(("outer", "inner"), [(13, 11), (11, 13)])
def test_function_of_another_opset(outer, inner):
    # ONNX forbids it for operators that changed in between; who asks for it gets each at its own version.
    model = onnx.parser.parse_model(FUNCTION % (outer, inner))
    with pytest.raises(ModelError, match=r"expected a valid model .*not compatible"):
        prepare(model)
    y, z = prepare(model, check=False).run([X])
    np.testing.assert_array_equal(y, operator("Softmax", inner).compute(X))
    np.testing.assert_array_equal(z, operator("Softmax", outer).compute(X))


ATTRIBUTES = """
    <ir_version: 9, opset_import: ["" : 17, "local" : 1]>
    agraph (float[2,3,4] x) => (float[2,3,4] given, float[2,3,4] default, float[2,3,4] absent) {
        given = local.outer <axis = 0> (x)
        default = local.outer (x)
        absent = local.inner (x)
    }
    <domain: "local", opset_import: ["" : 17, "local" : 1]>
    outer <axis: int = 1> (v) => (w) { w = local.inner <k: int = @axis> (v) }
    <domain: "local", opset_import: ["" : 17]>
    inner <k> (v) => (w) {
        c = Constant <value = bool {1}> ()
        w = If (c) <then_branch = a () => (t) { t = Softmax <axis: int = @k> (v) },
                    else_branch = b () => (e) { e = Identity (v) }>
    }
"""


def test_function_attributes_given_default_and_absent():
    # The inner function stands after the one that calls it, and its attribute is used in a branch.
    outputs = prepare(onnx.parser.parse_model(ATTRIBUTES), check=False).run([X])
    for output, axis in zip(outputs, (0, 1, -1), strict=True):
        np.testing.assert_array_equal(output, operator("Softmax", 17).compute(X, axis))


def test_function_named_like_an_operator():
    # ONNX leaves open which is meant; onnxruntime takes the operator where there is one at that opset.
    text = """
        <ir_version: 8, opset_import: ["" : %d]>
        agraph (float[2,3,4] x) => (float[2,3,4] y) { y = %s (x) }
        <domain: "", opset_import: ["" : %d]>
        %s (v) => (w) { w = Neg (v) }
    """
    softmax = onnx.parser.parse_model(text % (17, "Softmax", 17, "Softmax"))
    assert_close(prepare(softmax).run([X])[0], onnxruntime_outputs(softmax, {"x": X})[0])
    gelu = onnx.parser.parse_model(text % (17, "Gelu", 17, "Gelu"))  # an operator since 20 only
    np.testing.assert_array_equal(prepare(gelu, check=False).run([X])[0], -X)


def test_function_overloads():
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 17, "local" : 1]>
        agraph (float[2,3,4] x) => (float[2,3,4] y, float[2,3,4] z) {
            y = local.f:one (x)
            z = local.f:other (x)
        }
        <domain: "local", overload: "one", opset_import: ["" : 17]> f (v) => (w) { w = Softmax (v) }
        <domain: "local", overload: "other", opset_import: ["" : 17]> f (v) => (w) { w = Neg (v) }
    """)
    y, z = prepare(model).run([X])
    np.testing.assert_array_equal(y, LAST)
    np.testing.assert_array_equal(z, -X)


def test_function_that_calls_itself():
    text = FUNCTION % (13, 13)
    model = onnx.parser.parse_model(text.replace("w = Softmax (v)", "w = local.f (v)"))
    with pytest.raises(ModelError):
        prepare(model, check=False)


def test_ai_onnx_is_the_default_domain(model_of):
    model = model_of("Softmax", 11, 3)
    model.opset_import[0].domain = "ai.onnx"
    np.testing.assert_array_equal(prepare(model, check=False).run([X])[0], FLAT)
    model.graph.node[0].domain = "ai.onnx"
    np.testing.assert_array_equal(prepare(model, check=False).run([X])[0], FLAT)
