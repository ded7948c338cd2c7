"""A softmax that is spelled out, and a Softmax followed by Log."""

import numpy as np
import pytest
from fusing import both, found, kinds, parsed

from softops.opset import reference

STABLE = "m = ReduceMax<axes = [-1]>(x) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, last) "
SPELLED = {
    "quotient": (STABLE + "y = Div(e, s)", "softmax"),
    "by the reciprocal": (STABLE + "r = Reciprocal(s) y = Mul(r, e)", "softmax"),
    "logarithm": (STABLE + "l = Log(s) y = Sub(d, l)", "log_softmax"),
    "of the sum and the maximum": (STABLE + "l = Log(s) t = Add(l, m) y = Sub(x, t)", "log_softmax"),
    "the maximum once more": (
        STABLE + "m2 = ReduceMax<axes = [-1]>(x) d2 = Sub(x, m2) e2 = Exp(d2) y = Div(e2, s)",
        "softmax",
    ),
    "axes put back": (
        STABLE.replace("(e, last)", "<keepdims = 0>(e, last)") + "u = Unsqueeze(s, last) y = Div(e, u)",
        "softmax",
    ),
}
LAST = {"last": np.array([-1])}
HARD = np.array(
    [[1, 2, 3], [1e30, -1e30, 0], [np.inf, 1, 2], [-np.inf] * 3, [np.nan, 0, 1], [-np.inf, 5, 5]], np.float32
)


def model(body, *, opset=17, outputs="float[...] y", rank=2):
    shape = ",".join("NABC"[:rank])
    return parsed(body, f"float[{shape}] x", outputs.replace("...", shape), opset=opset, constants=LAST)


@pytest.mark.parametrize(("body", "op"), SPELLED.values(), ids=SPELLED)
def test_spellings(body, op):
    spelled = model(body)
    assert kinds(spelled) == [f"spelled-out {op}"]
    (fused,), (plain,) = both(spelled, HARD)
    exact = getattr(reference, op)(HARD, -1, dtype=np.float32)
    np.testing.assert_array_equal(np.isnan(fused), np.isnan(plain))
    np.testing.assert_array_max_ulp(fused[~np.isnan(exact)], exact[~np.isnan(exact)], 4)


@pytest.mark.parametrize("opset", [7, 11, 12, 13, 18, 21])
def test_every_opset_along_any_axis(opset):
    """The axes are an attribute, of ReduceSum up to 12 and of ReduceMax up to 17, and then an input."""
    body = STABLE + "y = Div(e, s)"
    if opset < 13:
        body = body.replace("ReduceSum(e, last)", "ReduceSum<axes = [-1]>(e)")
    if opset >= 18:
        body = body.replace("ReduceMax<axes = [-1]>(x)", "ReduceMax(x, last)")
    if opset < 11:
        body = body.replace("-1", "2")
    spelled = model(body, opset=opset, rank=3)
    assert kinds(spelled) == ["spelled-out softmax"]
    (fused,), (plain,) = both(spelled, np.random.default_rng(0).standard_normal((3, 4, 5), np.float32))
    np.testing.assert_allclose(fused, plain, rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("e = Exp(x) s = ReduceSum(e, last) y = Div(e, s)", "no maximum is subtracted"),
        (SPELLED["quotient"][0] + " z = Neg(s)", "'s' inside is also an output"),
        (SPELLED["quotient"][0] + " z = Neg(d)", "'d' inside is also read by Neg"),
    ],
)
def test_near_misses_are_left_alone(body, reason):
    outputs = "float[...] y" + (", float[...] z" if "z =" in body else "")
    if "output" in reason:
        outputs += ", float[N,1] s"
    fused, missed = found(model(body, outputs=outputs))
    assert fused == []
    assert len(missed) == 1
    assert missed[0][0] == "spelled-out softmax"
    assert reason in missed[0][1]
    both(model(body, outputs=outputs), HARD)


def test_other_axes_in_maximum_and_sum_are_no_softmax():
    body = (STABLE + "y = Div(e, s)").replace("axes = [-1]", "axes = [0]")
    assert found(model(body)) == ([], [])


def test_several_axes_run_node_by_node():
    body = STABLE.replace("[-1]", "[1, 2]").replace("(e, last)", "(e, both)") + "y = Div(e, s)"
    spelled = parsed(body, "float[N,A,B] x", "float[N,A,B] y", constants={"both": np.array([1, 2])})
    x = np.random.default_rng(0).standard_normal((2, 3, 4), np.float32)
    (fused,), (plain,) = both(spelled, x)
    np.testing.assert_array_equal(fused, plain)


def test_halves_run_node_by_node():
    """Between nodes halves are rounded, which moves results by more than the last place."""
    spelled = parsed(SPELLED["quotient"][0], "float16[N,A] x", "float16[N,A] y", constants=LAST)
    (fused,), (plain,) = both(spelled, HARD[:1].astype(np.float16))
    np.testing.assert_array_equal(fused, plain)


@pytest.mark.parametrize(("opset", "rank", "axis"), [(12, 2, 1), (13, 3, 1), (11, 3, 2), (21, 3, -1)])
def test_log_of_softmax_is_a_log_softmax(opset, rank, axis):
    logged = model(f"p = Softmax<axis = {axis}>(x) y = Log(p)", opset=opset, rank=rank)
    assert kinds(logged) == ["log of softmax"]
    x = np.random.default_rng(0).standard_normal((2, 3, 4)[:rank], np.float32)
    (fused,), _ = both(logged, x)
    np.testing.assert_array_max_ulp(fused, reference.log_softmax(x, axis, dtype=np.float32), 4)


def test_log_of_softmax_where_the_softmax_underflows():
    """The sum of the nodes' roundings is infinite there: the fusion gives the log-softmax."""
    logged = model("p = Softmax<axis = 1>(x) y = Log(p)")
    (fused,), (plain,) = both(logged, np.array([[0, -200]], np.float32))
    assert plain[0, 1] == -np.inf
    assert fused[0, 1] == -200


def test_below_opset_13_the_axis_flattens():
    """Of rank 3 the default axis goes over two: the nodes run one by one."""
    logged = model("p = Softmax(x) y = Log(p)", opset=12, rank=3)
    (fused,), (plain,) = both(logged, np.random.default_rng(0).standard_normal((2, 3, 4), np.float32))
    np.testing.assert_array_equal(fused, plain)
    np.testing.assert_allclose(np.exp(fused).sum((1, 2)), 1, rtol=1e-5)


def test_log_of_a_spelled_out_softmax():
    logged = model(SPELLED["quotient"][0].replace("y =", "p =") + " y = Log(p)")
    assert kinds(logged) == ["log of softmax"]
    (fused,), _ = both(logged, HARD[:1])
    np.testing.assert_array_max_ulp(fused, reference.log_softmax(HARD[:1], -1, dtype=np.float32), 4)
