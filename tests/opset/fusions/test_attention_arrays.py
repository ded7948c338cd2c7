"""Attention that was found, with arrays of any kind; and what is left alone."""

import numpy as np
import pytest
from attention_graphs import INPUTS, KEPT, MASK, START, TURN, E, H, K, N, Q, S, V, exact, model, run
from fusing import both, found, kinds, parsed
from onnx import TensorProto, helper


@pytest.mark.parametrize(
    ("body", "row_is"),
    [
        ("m = Where(kept, s, nothing) p = Softmax<axis = -1>(m) y = MatMul(p, v)", np.isnan),
        ("m = Where(kept, s, lowest) p = Softmax<axis = -1>(m) y = MatMul(p, v)", np.isfinite),
        (
            "m = Where(kept, s, nothing) p = Softmax<axis = -1>(m) n = IsNaN(p) w = Where(n, nought, p) "
            "y = MatMul(w, v)",
            np.logical_not,
        ),
    ],
    ids=["NaN", "the mean of all values", "0"],
)
@pytest.mark.parametrize("times", [1, 90], ids=["few scores", "many scores"])
def test_a_row_that_loses_all_its_keys_is_what_the_nodes_make_of_it(body, row_is, times):
    kept = np.tile(KEPT, (1, 1, times, 1))
    kept[0, 0, 1] = False
    assert kinds(model(START + body)) == ["attention"]
    (fused,), (plain,) = run(START + body, q=np.tile(Q, (1, 1, times, 1)), kept=kept)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)
    assert row_is(fused[0, :, 1]).all()
    wanted = exact(bias=np.where(KEPT, 0, -np.inf))[1]
    np.testing.assert_allclose(fused[1, :, :S], wanted, rtol=1e-5, atol=1e-6)


def test_float64():
    body = TURN + "s = MatMul(q, t) p = Softmax<axis = -1>(s) y = MatMul(p, v)"
    wide = parsed(body, INPUTS.replace("float[", "double["), "double[N,H,S,E] y")
    wide_inputs = [x.astype(np.float64) for x in (Q, K, V, MASK)]
    (fused,), _ = both(wide, *wide_inputs, KEPT, *[np.array([1])] * 4)
    np.testing.assert_allclose(fused, exact(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "body",
    [
        "s = MatMul(q, t) p = Softmax<axis = -1>(s) y = MatMul(p, v)",
        "s = MatMul(q, t) f = Cast<to = 1>(s) p = Softmax<axis = -1>(f) g = Cast<to = 10>(p) y = MatMul(g, v)",
    ],
    ids=["rounded at each node", "softmax in float32"],
)
def test_float16_is_nearer_to_the_exact_value(body):
    """Nothing is rounded to float16 in between."""
    half = parsed(TURN + body, INPUTS.replace("float[", "float16["), "float16[N,H,S,E] y")
    assert kinds(half) == ["attention"]
    q, k, v, mask = (x.astype(np.float16) for x in (Q, K, V, MASK))
    (fused,), (plain,) = both(half, q, k, v, mask, KEPT, *[np.array([1])] * 4)
    wanted = exact(q, k, v)
    assert np.abs(fused - wanted).max() <= np.abs(plain - wanted).max()
    np.testing.assert_allclose(fused, wanted, rtol=2**-10, atol=2**-12)


def test_a_cast_that_changes_the_dtype_runs_node_by_node():
    """Float64 scores, cast to float32 for the softmax."""
    body = (
        TURN
        + "s = MatMul(q, t) f = Cast<to = 1>(s) p = Softmax<axis = -1>(f) g = Cast<to = 11>(p) y = MatMul(g, v)"
    )
    wide = parsed(body, INPUTS.replace("float[", "double["), "double[N,H,S,E] y")
    (fused,), (plain,) = both(
        wide, *(x.astype(np.float64) for x in (Q, K, V, MASK)), KEPT, *[np.array([1])] * 4
    )
    np.testing.assert_array_equal(fused, plain)


def test_the_axis_rule_below_opset_13():
    """The default axis 1 goes over heads, queries and keys at once: no attention."""
    body = TURN + "s = MatMul(q, t) p = Softmax(s) y = MatMul(p, v)"
    assert kinds(model(body.replace("Softmax(", "Softmax<axis = 3>("), opset=12)) == ["attention"]
    old = model(body, opset=12)
    old.graph.value_info.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, ["N", "H", "S", "T"]))
    fused, missed = found(old)
    assert fused == []
    assert missed == [("attention", "opset 12's axis rule flattens axis 1 of rank 4 and all after it")]
    (one,), (other,) = run(body, opset=12)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("body", "outputs", "reason"),
    [
        (
            START + "p = Softmax<axis = -1>(s) y = MatMul(p, v)",
            "float[N,H,S,T] p",
            "'p' inside is also an output",
        ),
        (
            START + "p = Softmax<axis = -1>(s) y = MatMul(p, v)",
            "float[N,H,S,T] s",
            "'s' inside is also an output",
        ),
        (
            START + "p = Softmax<axis = -1>(s) n = Neg(p) y = MatMul(p, v)",
            "float[N,H,S,T] n",
            "'p' inside is also read by Neg",
        ),
        (
            START + "m = Add(s, mask) c = Mul(m, scale) p = Softmax<axis = -1>(c) y = MatMul(p, v)",
            "",
            "the scale comes behind the mask",
        ),
        (
            START + "m = Add(s, mask) h = Tanh(m) p = Softmax<axis = -1>(h) y = MatMul(p, v)",
            "",
            "the scale comes behind the mask",
        ),
    ],
)
def test_near_misses_are_left_alone(body, outputs, reason):
    outputs = ", ".join(filter(None, ("float[N,H,S,E] y", outputs)))
    assert found(model(body, outputs=outputs)) == ([], [("attention", reason)])
    for fused, plain in zip(*run(body, outputs=outputs), strict=True):
        np.testing.assert_array_equal(fused, plain)


def test_a_mask_of_more_axes_than_the_scores():
    body = START + "m = Add(s, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)"
    inputs = INPUTS.replace("float[N,1,S,T] mask", "float[A,N,1,S,T] mask")
    wide = parsed(body, inputs, "float[A,N,H,S,E] y")
    assert found(wide) == ([], [("attention", "a mask of rank 5 for scores of rank 4")])
    (fused,), (plain,) = both(wide, Q, K, V, MASK[None], KEPT, *[np.array([1])] * 4)
    np.testing.assert_array_equal(fused, plain)


def test_a_scaled_query_that_is_read_elsewhere_stays():
    body = TURN + "a = Mul(q, scale) s = MatMul(a, t) p = Softmax<axis = -1>(s) y = MatMul(p, v) z = Neg(a)"
    outputs = "float[N,H,S,E] y, float[N,H,S,D] z"
    assert found(model(body, outputs=outputs))[0] == [("attention", ["MatMul", "Softmax", "MatMul"])]
    (y, z), _ = run(body, outputs=outputs)
    np.testing.assert_allclose(y, exact(scale=0.35), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(z, -Q * np.float32(0.35))


def test_arrays_that_only_numpy_broadcasts_run_node_by_node():
    """A mask with more axes than the scores, one batch of keys for all, a scale for each query."""
    body = START + "m = Add(s, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)"
    (fused,), (plain,) = run(body, k=K[:1], v=V[:1])
    np.testing.assert_array_equal(fused, plain)
    scaled = parsed(
        START + "c = Mul(s, each) p = Softmax<axis = -1>(c) y = MatMul(p, v)",
        f"{INPUTS}, float[...] each".replace("[...]", "[]"),
        "float[N,H,S,E] y",
    )
    scaled.graph.input[-1].type.tensor_type.ClearField("shape")
    shapes = [np.array([1])] * 4
    factors = np.arange(1, 4, dtype=np.float32)[:, None]
    (fused,), (plain,) = both(scaled, Q, K, V, MASK, KEPT, *shapes, factors)
    np.testing.assert_array_equal(fused, plain)
    (fused,), _ = both(scaled, Q, K, V, MASK, KEPT, *shapes, np.float32(2).reshape(1))
    np.testing.assert_allclose(fused, exact(scale=2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kept_heads", [4, 2])
@pytest.mark.parametrize(
    "body", ["p = Softmax<axis = -1>(s) ", "m = Add(s, mask) p = Softmax<axis = -1>(m) "]
)
def test_one_query_against_many_keys(body, kept_heads):
    """A step of decoding."""
    repeat = (
        "ku = Unsqueeze(k, axis) ke = Expand(ku, wide_k) kr = Reshape(ke, full_k) "
        "vu = Unsqueeze(v, axis) ve = Expand(vu, wide_v) vr = Reshape(ve, full_v) "
        "t = Transpose<perm = [0, 1, 3, 2]>(kr) s = MatMul(q, t) "
    )
    k, v = (np.tile(x[:, :kept_heads], (1, 1, 300, 1)) * np.float32(0.5) for x in (K, V))
    mask = np.tile(MASK[:, :, :1], 300)
    (fused,), _ = run(repeat + body + "y = MatMul(p, vr)", q=Q[:, :, :1], k=k, v=v, mask=mask)
    wanted = exact(Q[:, :, :1], k, v, bias=mask if "mask" in body else 0.0)
    np.testing.assert_allclose(
        fused, wanted, rtol=0, atol=1500 * 2**-24 * np.abs(v).max()
    )  # a sum of 1500 terms


def test_empty_arrays():
    body = START + "p = Softmax<axis = -1>(s) y = MatMul(p, v)"
    (fused,), (plain,) = run(body, q=Q[:, :, :0])
    assert fused.shape == plain.shape == (N, H, 0, E)


@pytest.mark.parametrize("times", [1, 90], ids=["few scores", "many scores"])
def test_infinities_and_nan_go_where_the_nodes_let_them(times):
    body = START + "c = Mul(s, scale) m = Add(c, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)"
    q, k, v = Q.copy(), K.copy(), V.copy()
    q[0, 0, 0, 0], k[0, 1, 2, 3], v[1, 2, 3, 1] = np.inf, np.nan, np.inf
    q, mask = (np.tile(x, (1, 1, times, 1)) for x in (q, MASK))
    (fused,), (plain,) = run(body, q=q, k=k, v=v, mask=mask)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)
    assert np.isnan(fused[0, 1]).all()


def test_the_result_is_laid_out_for_what_follows():
    """The nodes behind put the heads beside each other: the outputs are the same, whatever lies where."""
    body = (
        START + "p = Softmax<axis = -1>(s) z = MatMul(p, v) y = Transpose<perm = [0, 2, 1, 3]>(z) w = Neg(z)"
    )
    (y, w), (plain, _) = run(body, outputs="float[N,S,H,E] y, float[N,H,S,E] w")
    np.testing.assert_allclose(y, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(-w, exact(), rtol=1e-5, atol=1e-6)
    assert y.flags.c_contiguous
    assert w.flags.c_contiguous
