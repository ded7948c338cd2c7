"""What is nearly an operator, but not certainly, stays as it is."""

import pytest

from softops.export import fuse

ONE = "one = Constant<value = float {1.0}>() "
AXES = (
    "a = Constant<value = int64[1] {1}>() b = Constant<value = int64[1] {0}>() "
    "none = Constant<value = int64[0] {}>() "
)
SOFTMAX = AXES + "e = Exp(x) t = ReduceSum(e, a) y = Div(e, t)"


def statements(**replacements):
    text = SOFTMAX
    for old, new in replacements.items():
        text = text.replace(
            {"sum": "t = ReduceSum(e, a)", "div": "y = Div(e, t)", "exp": "e = Exp(x)"}[old], new
        )
    return text


NEAR_MISSES = {
    "the sum without its axis": (17, statements(sum="t = ReduceSum<keepdims = 0>(e, a)"), 1),
    "nothing summed": (17, statements(sum="t = ReduceSum<noop_with_empty_axes = 1>(e)"), 1),
    "nothing summed, by an empty list": (17, statements(sum="t = ReduceSum<noop_with_empty_axes = 1>(e, none)"), 1),
    "all summed": (17, statements(sum="t = ReduceSum(e)"), 1),
    "two axes": (17, statements(sum="c = Concat<axis = 0>(a, b) t = ReduceSum(e, c)"), 1),
    "the sum over the exponential": (17, statements(div="y = Div(t, e)"), 1),
    "another exponential": (17, statements(sum="f = Exp(v) t = ReduceSum(f, a)"), 1),
    "another reduction": (17, statements(sum="t = ReduceMean(e)"), 1),
    "the exponential is read elsewhere": (17, SOFTMAX + " w = Neg(e)", 2),
    "the sum is an output": (17, SOFTMAX.replace("t = ", "w = ").replace("(e, t)", "(e, w)"), 2),
    "axes known at run time": (17, statements(sum="t = ReduceSum(e, r)"), 1),
    "the maximum of other axes": (17, "m = ReduceMax<axes = [0]>(x) s = Sub(x, m) y = Softmax<axis = 1>(s)", 1),
    "a maximum that is an output": (17, "w = ReduceMax<axes = [1]>(x) s = Sub(x, w) y = Softmax<axis = 1>(s)", 2),
    "one trailing axis of two": (11, "e = Exp(x) t = ReduceSum<axes = [0]>(e) y = Div(e, t)", 1),
    "the log of a softmax that is an output": (17, "w = Softmax(x) y = Log(w)", 2),
    "log-sum-exp of other axes": (17, "l = ReduceLogSumExp<axes = [0, 1]>(x) y = Sub(x, l)", 1),
    "log-sum-exp without its axis": (17, "l = ReduceLogSumExp<axes = [1], keepdims = 0>(x) y = Sub(x, l)", 1),
    "log-sum-exp the other way round": (17, "l = ReduceLogSumExp<axes = [1]>(x) y = Sub(l, x)", 1),
    "not one": (17, "k = Constant<value = float {1.0000001}>() e = Exp(x) d = Add(k, e) y = Log(d)", 1),
    "one of too many axes": (
        17,
        "k = Constant<value = float[1,1,1] {1.0}>() e = Exp(x) d = Add(k, e) z = Log(d) y = Squeeze(z)",
        1,
    ),
    "a row of ones": (17, "k = Constant<value = float[3] {1.0, 1.0, 1.0}>() e = Exp(x) d = Add(k, e) y = Log(d)", 1),
    "exp of x, not of minus x": (17, ONE + "e = Exp(x) d = Add(one, e) y = Div(one, d)", 1),
    "one minus": (17, ONE + "n = Neg(x) e = Exp(n) d = Sub(one, e) y = Div(one, d)", 1),
    "softsign of two values": (17, ONE + "s = Abs(v) d = Add(one, s) y = Div(x, d)", 1),
    "an operator of another domain": (17, "p = com.example.Softmax(x) y = Log(p)", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_misses_stay(parsed, case):
    opset, text, outputs = NEAR_MISSES[case]
    more = ", float[?,?] w" if outputs == 2 else ""
    model = parsed(
        opset,
        f"g (float[3,3] x, float[3,3] v, int64[1] r) => (float[?,?] y{more}) {{ {text} }}",
        imports=', "com.example" : 1',
    )
    assert fuse(model).graph.node == model.graph.node


def test_a_constant_that_can_be_overridden_is_none(parsed):
    text = "e = Exp(x) d = Add(one, e) y = Log(d)"
    model = parsed(17, f"g (float[N,5] x, float one = {{1.0}}) => (float[N,5] y) {{ {text} }}")
    assert fuse(model) == model


def test_a_type_that_the_operator_does_not_take(parsed):
    # 16256 are the bits of 1.
    text = "one = Constant<value = bfloat16 {16256}>() e = Exp(x) d = Add(one, e) y = Log(d)"
    for opset, nodes in ((21, 4), (22, 1)):  # Softplus takes bfloat16 from version 22 on
        model = parsed(opset, f"g (bfloat16[N,5] x) => (bfloat16[N,5] y) {{ {text} }}")
        assert len(fuse(model).graph.node) == nodes


def test_unknown_ranks_are_not_guessed(parsed):
    inputs = "float[N,5] x, int64[k] shape"
    text = "h = Reshape(x, shape) e = Exp(h) t = ReduceSum<axes = [1]>(e) y = Div(e, t)"
    old = parsed(11, f"g ({inputs}) => (float[?,?] y) {{ {text} }}")
    assert len(fuse(old).graph.node) == 4  # below 13 it matters whether axis 1 is the last
    text = "h = Reshape(x, shape) e = Exp(h) t = ReduceSum<axes = [-1]>(e) y = Div(e, t)"
    last = parsed(11, f"g ({inputs}) => (float[?,?] y) {{ {text} }}")
    assert [node.op_type for node in fuse(last).graph.node] == ["Reshape", "Softmax"]
    k = "k = Constant<value = float[1] {1.0}>() h = Reshape(x, shape) e = Exp(h) d = Add(k, e) y = Log(d)"
    scalar = parsed(17, f"g ({inputs}) => (float[?,?] y) {{ {k} }}")
    assert fuse(scalar).graph.node == scalar.graph.node  # of a scalar the constant would make a vector
