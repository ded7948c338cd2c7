"""Expressions whose reductions drop their axes, which another node puts back."""

import numpy as np
import onnx
import pytest
from scipy import special

from softops.export import fuse

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = [7, 11, 12, 13, 17, 18, NEWEST]
X = np.array([[1, 2, 3, 4, 5], [88, 87, 88, 0, 1]], np.float32)


def statements(text, opset):
    """``sum(v)``, ``max(v)``, ``lse(v)`` drop axis 1; ``up(v)`` puts it back, ``down(v)`` drops it from what has it."""
    since = {"ReduceSum": 13, "ReduceMax": 18, "ReduceLogSumExp": 18, "Unsqueeze": 13, "Squeeze": 13}
    short = {
        "sum": "ReduceSum",
        "max": "ReduceMax",
        "lse": "ReduceLogSumExp",
        "up": "Unsqueeze",
        "down": "Squeeze",
    }
    held = False
    for word, op in (*short.items(), ("kept_max", "ReduceMax")):
        keepdims = "" if word in ("up", "down") else f"keepdims = {int(word == 'kept_max')}"
        attributes = keepdims if opset >= since[op] else ", ".join(filter(None, ["axes = [1]", keepdims]))
        more = ", axes" if opset >= since[op] else ""
        held |= bool(more)
        call = f"{op}<{attributes}>" if attributes else op
        for value in "xestlm":
            text = text.replace(f" {word}({value})", f" {call}({value}{more})")
    return f"axes = Constant<value = int64[1] {{1}}>() {text}" if held else text


SAME_RANK = {
    "softmax": ("e = Exp(x) s = sum(e) t = up(s) y = Div(e, t)", "Softmax", special.softmax),
    "softmax, shifted": (
        "m = max(x) t = up(m) d = Sub(x, t) e = Exp(d) s = sum(e) l = up(s) y = Div(e, l)",
        "Softmax",
        special.softmax,
    ),
    "softmax, by reciprocal": (
        "e = Exp(x) s = sum(e) l = Reciprocal(s) t = up(l) y = Mul(e, t)",
        "Softmax",
        special.softmax,
    ),
    "log-softmax": (
        "e = Exp(x) s = sum(e) l = Log(s) t = up(l) y = Sub(x, t)",
        "LogSoftmax",
        special.log_softmax,
    ),
    "minus log-sum-exp": ("s = lse(x) t = up(s) y = Sub(x, t)", "LogSoftmax", special.log_softmax),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", SAME_RANK)
def test_an_axis_that_is_put_back(parsed, run_onnxruntime, opset, case):
    text, op_type, oracle = SAME_RANK[case]
    fused = fuse(parsed(opset, f"g (float[N,5] x) => (float[N,5] y) {{ {statements(text, opset)} }}"))
    assert [node.op_type for node in fused.graph.node] == [op_type]
    np.testing.assert_allclose(
        run_onnxruntime(fused, {"x": X})["y"], oracle(X.astype(float), axis=1), rtol=1e-6, atol=1e-37
    )


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    "text",
    [
        "e = Exp(x) s = sum(e) y = Log(s)",
        "m = max(x) t = up(m) d = Sub(x, t) e = Exp(d) s = sum(e) l = Log(s) y = Add(l, m)",
        "t = kept_max(x) d = Sub(x, t) e = Exp(d) s = sum(e) l = Log(s) m = down(t) y = Add(l, m)",
    ],
)
def test_log_sum_exp_without_its_axis(parsed, run_onnxruntime, opset, text):
    fused = fuse(parsed(opset, f"g (float[N,5] x) => (float[N] y) {{ {statements(text, opset)} }}"))
    assert [node.op_type for node in fused.graph.node if node.op_type != "Constant"] == ["ReduceLogSumExp"]
    expected = special.logsumexp(X.astype(float), axis=1)
    np.testing.assert_allclose(run_onnxruntime(fused, {"x": X})["y"], expected, rtol=1e-6)


def test_the_form_of_jax(parsed, run_onnxruntime):
    """A Reshape to a computed shape puts the axis back, an Expand to it does nothing; a constant in the maximum."""
    text = (
        "n = Shape<start = 0, end = 1>(x) one = Constant<value = int64[1] {1}>() to = Concat<axis = 0>(n, one) "
        "low = Constant<value = float {-3.0e38}>() top = ReduceMax<axes = [1], keepdims = 0>(x) m = Max(low, top) "
        "r = Reshape(m, to) b = Expand(r, to) d = Sub(x, b) e = Exp(d) s = ReduceSum<keepdims = 0>(e, one) "
        "q = Reshape(s, to) z = Expand(q, to) y = Div(e, z)"
    )
    fused = fuse(parsed(17, f"g (float[N,5] x) => (float[N,5] y) {{ {text} }}"))
    assert [node.op_type for node in fused.graph.node] == ["Softmax"]
    np.testing.assert_allclose(run_onnxruntime(fused, {"x": X})["y"], special.softmax(X, axis=1), rtol=1e-6)


A = "a = Constant<value = int64[1] {0}>() b = Constant<value = int64[1] {1}>() k = Constant<value = int64[2] {1,3}>() "
NEAR_MISSES = {
    "put back at another place": "e = Exp(x) s = ReduceSum<keepdims = 0>(e, b) t = Unsqueeze(s, a) y = Div(e, t)",
    "put back where it was not dropped": "e = Exp(x) s = ReduceSum(e, b) t = Unsqueeze(s, b) y = Div(e, t)",
    "reshaped to a row": "e = Exp(x) s = ReduceSum<keepdims = 0>(e, b) t = Reshape(s, k) y = Div(e, t)",
    "broadcast over other rows": "e = Exp(x) s = ReduceSum<keepdims = 0>(e, b) y = Div(e, s)",
    "a maximum of the wrong axes": (
        "m = ReduceMax<axes = [1], keepdims = 0>(x) d = Sub(x, m) e = Exp(d) s = ReduceSum<keepdims = 0>(e, b) "
        "l = Log(s) y = Add(l, m)"
    ),
    "the axis of the one, the rows of the other": (
        "m = ReduceMax<axes = [1], keepdims = 0>(x) t = Unsqueeze(m, b) d = Sub(x, m) e = Exp(d) "
        "s = ReduceSum<keepdims = 0>(e, b) l = Log(s) y = Add(l, t)"
    ),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_misses_stay(parsed, case):
    """Of a square, where a wrong axis has the right length."""
    model = parsed(17, f"g (float[3,3] x) => (float[?,?] y) {{ {A}{NEAR_MISSES[case]} }}")
    kinds = [node.op_type for node in fuse(model).graph.node]
    assert not {"Softmax", "LogSoftmax"} & set(kinds)
    assert "Add" not in [n.op_type for n in model.graph.node] or "Add" in kinds


def test_one_length_that_is_not_known(parsed, run_onnxruntime):
    """It is that of before: there are as many elements."""
    text = "e = Exp(x) s = ReduceSum<keepdims = 0>(e, one) t = Reshape(s, to) y = Div(e, t)"
    held = "<int64[1] one = {1}, int64[2] to = {-1, 1}>"
    fused = fuse(parsed(17, f"g (float[?,5] x) => (float[?,5] y) {held} {{ {text} }}"))
    assert [node.op_type for node in fused.graph.node] == ["Softmax"]
    np.testing.assert_allclose(run_onnxruntime(fused, {"x": X})["y"], special.softmax(X, axis=1), rtol=1e-6)


UNCERTAIN = {
    "two lengths that are not known": (
        "float[?,?,5] x, int64[2] u",
        "e = Exp(x) s = ReduceSum<keepdims = 0>(e, two) to = Concat<axis = 0>(u, one) t = Reshape(s, to) y = Div(e, t)",
    ),
    "put back at the front, by a Reshape": (
        "float[N,5] x, int64[2] u",
        "e = Exp(x) s = ReduceSum<keepdims = 0>(e, one) t = Reshape(s, row) y = Div(e, t)",
    ),
    "an Expand to more": (
        "float[3,5] x, int64[2] u",
        "e = Exp(x) s = ReduceSum<keepdims = 0>(e, one) t = Unsqueeze(s, one) z = Expand(t, u) y = Log(z)",
    ),
    "an Expand of what is reshaped to something else": (
        "float[3,5] x, int64[2] u",
        "e = Exp(x) s = ReduceSum<keepdims = 0>(e, one) t = Reshape(s, column) z = Expand(t, u) y = Log(z)",
    ),
    "a constant that adds an axis": (
        "float[5] x, int64[2] u",
        "m = ReduceMax<axes = [0], keepdims = 0>(x) k = Max(m, low) t = Unsqueeze(k, zero) d = Sub(x, t) "
        "y = Softmax<axis = -1>(d)",
    ),
}
HELD = (
    "<int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[2] row = {1, -1}, int64[2] column = {3, 1}, "
    "float[1] low = {-9}>"
)


@pytest.mark.parametrize("case", UNCERTAIN)
def test_what_may_be_something_else_stays(parsed, case):
    inputs, text = UNCERTAIN[case]
    model = parsed(17, f"g ({inputs}) => (float[?,?] y) {HELD} {{ {text} }}")
    assert fuse(model).graph.node == model.graph.node


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    "text", ["p = Sigmoid(x) y = Log(p)", "n = Neg(x) e = Exp(n) d = Add(o, e) p = Reciprocal(d) y = Log(p)"]
)
def test_the_logarithm_of_a_sigmoid(parsed, run_onnxruntime, opset, text):
    """-softplus(-x), which is finite where the sigmoid is 0."""
    one = "o = Constant<value = float {1.0}>() " if "Add(o" in text else ""
    fused = fuse(parsed(opset, f"g (float[N,5] x) => (float[N,5] y) {{ {one}{text} }}"))
    assert [node.op_type for node in fused.graph.node] == ["Neg", "Softplus", "Neg"]
    x = np.array([[-200, -110, -1, 0, 20]], np.float32)
    exact = special.log_expit(x.astype(float))
    np.testing.assert_allclose(run_onnxruntime(fused, {"x": x})["y"], exact, rtol=1e-6, atol=2e-7)


def test_in_branches_and_functions(parsed):
    softmax = (
        "e = Exp(v) a = Constant<value = int64[1] {1}>() s = ReduceSum<keepdims = 0>(e, a) "
        "t = Unsqueeze(s, a) w = Div(e, t)"
    )
    function = f'<domain: "own", opset_import: ["" : 17]> f (v) => (w) {{ {softmax} }}'
    log = "p = Sigmoid(x) q = Log(p)"
    graph = (
        f"g (float[N,5] x, bool c) => (float[N,5] y) {{ h = own.f(x) y = If (c) <then_branch = t () => (float[N,5] q) "
        f"{{ {log} }}, else_branch = f () => (float[N,5] r) {{ r = Identity(h) }}> }}"
    )
    fused = fuse(parsed(17, f"{graph} {function}", imports=', "own" : 1'))
    assert [node.op_type for node in fused.functions[0].node] == ["Softmax"]
    branches = {a.name: [node.op_type for node in a.g.node] for a in fused.graph.node[1].attribute}
    assert branches["then_branch"] == ["Neg", "Softplus", "Neg"]
