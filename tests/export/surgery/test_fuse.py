"""Expressions that spell out an operator become that operator."""

import numpy as np
import onnx
import pytest
from scipy import special

from softops.export import fuse

NEWEST = onnx.defs.onnx_opset_version()
OPSETS = [7, 9, 11, 13, 17, 18, 21, NEWEST]
ONE = "one = Constant<value = float {1.0}>() "


def reduce(op, x, opset, axes="1"):
    """A reduction over fixed axes, in the way of the opset."""
    if opset < (13 if op == "ReduceSum" else 18):
        return f"{op}<axes = [{axes}]>({x})"
    return f"{op}({x}, axes)"


def body(opset, text, axes="1"):
    """Statements, in which ``max(v)`` and the like stand for reductions over ``axes``."""
    for short, op in {"max": "ReduceMax", "sum": "ReduceSum", "lse": "ReduceLogSumExp"}.items():
        for x in "xyse":
            text = text.replace(f"{short}({x})", reduce(op, x, opset, axes))
    if ", axes)" not in text:
        return text
    return f"axes = Constant<value = int64[{axes.count(',') + 1}] {{{axes}}}>() {text}"


ALONG_AXIS = {
    "softmax": ("e = Exp(x) t = sum(e) y = Div(e, t)", "Softmax", special.softmax),
    "softmax, shifted": (
        "m = max(x) s = Sub(x, m) e = Exp(s) t = sum(e) y = Div(e, t)",
        "Softmax",
        special.softmax,
    ),
    "softmax, computed twice": ("e = Exp(x) f = Exp(x) t = sum(e) y = Div(f, t)", "Softmax", special.softmax),
    "softmax, by reciprocal": (
        "e = Exp(x) t = sum(e) r = Reciprocal(t) y = Mul(r, e)",
        "Softmax",
        special.softmax,
    ),
    "softmax of shifted": ("m = max(x) s = Sub(x, m) y = Softmax<axis = 1>(s)", "Softmax", special.softmax),
    "exp of log": ("l = LogSoftmax<axis = 1>(x) y = Exp(l)", "Softmax", special.softmax),
    "log of softmax": ("p = Softmax<axis = 1>(x) y = Log(p)", "LogSoftmax", special.log_softmax),
    "log of it all": ("e = Exp(x) t = sum(e) p = Div(e, t) y = Log(p)", "LogSoftmax", special.log_softmax),
    "minus log-sum-exp": ("l = lse(x) y = Sub(x, l)", "LogSoftmax", special.log_softmax),
    "log-softmax, shifted": (
        "m = max(x) s = Sub(x, m) e = Exp(s) t = sum(e) l = Log(t) y = Sub(s, l)",
        "LogSoftmax",
        special.log_softmax,
    ),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", ALONG_AXIS)
def test_along_the_last_axis(parsed, run_onnxruntime, run_softops, opset, case):
    text, op_type, oracle = ALONG_AXIS[case]
    model = parsed(opset, f"g (float[N,5] x) => (float[N,5] y) {{ {body(opset, text)} }}")
    fused = fuse(model)
    assert [(node.op_type, list(node.output)) for node in fused.graph.node] == [(op_type, ["y"])]
    # 200 overflows in float32: the expression gives NaN where it does not subtract the maximum.
    x = np.array([[1, 2, 3, 4, 5], [200, 0, -200, 199, 1]], np.float32)
    for run in (run_onnxruntime, run_softops):
        np.testing.assert_allclose(
            run(fused, {"x": x})["y"], oracle(x.astype(float), axis=1), rtol=1e-6, atol=1e-37
        )


@pytest.mark.parametrize(
    ("opset", "axes", "axis"), [(12, "1,2", 1), (11, "0,1,2", 0), (9, "2", 2), (13, "1", 1), (17, "-2", 1)]
)
def test_the_axis_is_that_of_the_opset(parsed, run_onnxruntime, opset, axes, axis):
    text = body(opset, ALONG_AXIS["softmax, shifted"][0], axes)
    model = parsed(opset, f"g (float[N,3,4] x) => (float[N,3,4] y) {{ {text} }}")
    fused = fuse(model)
    assert [(node.op_type, node.attribute[0].i) for node in fused.graph.node] == [("Softmax", axis)]
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(
        run_onnxruntime(fused, {"x": x})["y"], run_onnxruntime(model, {"x": x})["y"], rtol=1e-6
    )


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(("keepdims", "shifted"), [(0, False), (1, False), (1, True)])
def test_log_sum_exp(parsed, run_onnxruntime, opset, keepdims, shifted):
    text = (
        "m = max(x) s = Sub(x, m) e = Exp(s) t = sum(e) l = Log(t) y = Add(m, l)"
        if shifted
        else ("e = Exp(x) t = sum(e) y = Log(t)")
    )
    text = body(opset, text)
    for op in ("ReduceSum", "ReduceMax"):
        text = text.replace(f"{op}(", f"{op}<keepdims = {keepdims}>(").replace(
            "[1]>", f"[1], keepdims = {keepdims}>"
        )
    shape = "N,1" if keepdims else "N"
    fused = fuse(parsed(opset, f"g (float[N,5] x) => (float[{shape}] y) {{ {text} }}"))
    assert [node.op_type for node in fused.graph.node if node.op_type != "Constant"] == ["ReduceLogSumExp"]
    x = np.array([[1, 2, 3, 4, 5], [88, 87, 88, 0, 1]], np.float32)
    expected = special.logsumexp(x.astype(float), axis=1, keepdims=bool(keepdims))
    np.testing.assert_allclose(run_onnxruntime(fused, {"x": x})["y"], expected, rtol=1e-6)


ELEMENTWISE = {
    "sigmoid": (ONE + "n = Neg(x) e = Exp(n) d = Add(one, e) y = Div(one, d)", "Sigmoid", special.expit),
    "sigmoid, other order": (
        ONE + "n = Neg(x) e = Exp(n) d = Add(e, one) y = Reciprocal(d)",
        "Sigmoid",
        special.expit,
    ),
    "sigmoid by -1": (
        ONE + "k = Constant<value = float {-1.0}>() n = Mul(x, k) e = Exp(n) d = Add(e, one) y = Div(one, d)",
        "Sigmoid",
        special.expit,
    ),
    "sigmoid of exp": (ONE + "e = Exp(x) d = Add(one, e) y = Div(e, d)", "Sigmoid", special.expit),
    "softplus": (ONE + "e = Exp(x) d = Add(one, e) y = Log(d)", "Softplus", lambda x: np.logaddexp(0, x)),
    "softsign": (ONE + "a = Abs(x) d = Add(a, one) y = Div(x, d)", "Softsign", lambda x: x / (1 + abs(x))),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", ELEMENTWISE)
def test_elementwise(parsed, run_onnxruntime, opset, case):
    text, op_type, oracle = ELEMENTWISE[case]
    fused = fuse(parsed(opset, f"g (float[N,5] x) => (float[N,5] y) {{ {text} }}"))
    assert [node.op_type for node in fused.graph.node] == [op_type]
    x = np.array([[-200, -20, -1, 0, 200]], np.float32)
    # A softplus of onnxruntime is right to a rounding of 1.
    np.testing.assert_allclose(
        run_onnxruntime(fused, {"x": x})["y"], oracle(x.astype(float)), rtol=1e-6, atol=2e-7
    )


@pytest.mark.parametrize("constant", ["float[1] {1.0}", "float[1,1] {1.0}", "float {1.0}"])
def test_a_constant_may_be_an_initializer_that_nobody_can_override(parsed, constant):
    shape, _, value = constant.partition(" ")
    text = "e = Exp(x) d = Add(one, e) y = Log(d)"
    model = parsed(17, f"g (float[N,5] x) => (float[N,5] y) <{shape} one = {value}> {{ {text} }}")
    fused = fuse(model)
    assert [node.op_type for node in fused.graph.node] == ["Softplus"]
    assert not fused.graph.initializer
    old = fuse(parsed(8, f"g (float[N,5] x, {shape} one = {value}) => (float[N,5] y) {{ {text} }}"))
    assert [node.op_type for node in old.graph.node] == ["Softplus"]
    assert [value.name for value in old.graph.input] == ["x"]


def test_several_in_one_model_and_the_rest_stays(parsed, same_bits, run_onnxruntime):
    text = body(
        17,
        ONE + "z = Relu(x) e = Exp(x) t = sum(e) p = Div(e, t) q = Log(p) "
        "n = Neg(q) f = Exp(n) d = Add(one, f) y = Div(one, d) unused = Neg(z) w = Add(z, one)",
    )
    model = parsed(17, f"g (float[N,5] x) => (float[N,5] y, float[N,5] w) {{ {text} }}")
    fused = fuse(model)
    assert sorted(node.op_type for node in fused.graph.node) == [
        "Add", "Constant", "LogSoftmax", "Neg", "Relu", "Sigmoid",
    ]  # fmt: skip
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    before, after = run_onnxruntime(model, {"x": x}), run_onnxruntime(fused, {"x": x})
    same_bits({"w": after["w"]}, {"w": before["w"]})
    # log(softmax) rounds to a multiple of 2^-24 near 0, and exp passes that on: a few parts in a million.
    np.testing.assert_allclose(after["y"], before["y"], rtol=1e-5)


def test_bytes_are_the_same_and_the_model_given_is_not_changed(parsed, tmp_path):
    model = parsed(17, f"g (float[N,5] x) => (float[N,5] y) {{ {body(17, ALONG_AXIS['softmax'][0])} }}")
    before = model.SerializeToString(deterministic=True)
    fuse(model, path=tmp_path / "a.onnx")
    assert model.SerializeToString(deterministic=True) == before
    assert (tmp_path / "a.onnx").read_bytes() == fuse(before).SerializeToString(deterministic=True)
