"""Attention, in the parts that exporters write it in."""

import numpy as np
import pytest
from fusing import both, found, kinds, parsed
from onnx import TensorProto, helper

N, H, S, T, D, E = 2, 4, 3, 5, 8, 6
RANDOM = np.random.default_rng(0)
Q, K, V = (RANDOM.standard_normal(shape, np.float32) for shape in ((N, H, S, D), (N, H, T, D), (N, H, T, E)))
MASK = np.where(RANDOM.random((N, 1, S, T)) < 0.3, np.float32(-1e4), np.float32(0))
KEPT = RANDOM.random((N, 1, S, T)) < 0.6
KEPT[..., 0] = True
TURN = "t = Transpose<perm = [0, 1, 3, 2]>(k) "
START = TURN + "s = MatMul(q, t) "
CONSTANTS = {
    "scale": np.float32(0.35),
    "scales": np.array([0.35], np.float32),
    "root": np.float32(np.sqrt(8)),
    "nothing": np.float32(-np.inf),
    "lowest": np.finfo(np.float32).min,
    "cap": np.float32(0.7),
    "nought": np.float32(0),
    "axis": np.array([2]),
}
INPUTS = (
    "float[N,H,S,D] q, float[N,G,T,D] k, float[N,G,T,E] v, float[N,1,S,T] mask, bool[N,1,S,T] kept, "
    "int64[a] wide_k, int64[b] full_k, int64[a] wide_v, int64[b] full_v"
)


def model(body, *, opset=17, outputs="float[N,H,S,E] y"):
    if opset < 13:
        body = body.replace("(k, axis)", "<axes = [2]>(k)").replace("(v, axis)", "<axes = [2]>(v)")
    return parsed(body, INPUTS, outputs, opset=opset, constants=CONSTANTS)


def run(body, *, opset=17, q=Q, k=K, v=V, mask=MASK, kept=KEPT, outputs="float[N,H,S,E] y"):
    """The outputs with and without fusions; heads of k and v are repeated to as many as q has."""
    times = q.shape[1] // k.shape[1]
    shapes = []
    for x in (k, v):
        n, heads, length, size = x.shape
        shapes += [np.array((n, heads, times, length, size)), np.array((n, heads * times, length, size))]
    return both(model(body, opset=opset, outputs=outputs), q, k, v, mask, kept, *shapes)


def exact(q=Q, k=K, v=V, *, scale=1.0, bias=0.0, cap=None):
    """In float64, as the definition has it."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = q @ k.swapaxes(2, 3) * scale
    scores = scores if cap is None else cap * np.tanh(scores / cap)
    with np.errstate(invalid="ignore"):
        e = np.exp(scores + bias - (scores + bias).max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


SPELLINGS = {
    "plain": ("s = MatMul(q, t) p = Softmax<axis = -1>(s) y = MatMul(p, v)", {}),
    "scaled scores": (
        "s = MatMul(q, t) c = Mul(scale, s) p = Softmax<axis = 3>(c) y = MatMul(p, v)",
        {"scale": 0.35},
    ),
    "divided scores and a mask": (
        "s = MatMul(q, t) c = Div(s, root) m = Add(mask, c) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
        {"scale": 1 / np.sqrt(8), "bias": MASK},
    ),
    "scaled queries and keys": (
        "a = Mul(q, scale) b = Mul(t, scales) s = MatMul(a, b) p = Softmax<axis = -1>(s) y = MatMul(p, v)",
        {"scale": 0.35**2},
    ),
    "scores chosen by a mask": (
        "s = MatMul(q, t) c = Mul(s, scale) m = Where(kept, c, lowest) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
        {"scale": 0.35, "bias": np.where(KEPT, 0, -np.inf)},
    ),
    "scores dropped by a mask": (
        "s = MatMul(q, t) z = Not(kept) m = Where(z, lowest, s) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
        {"bias": np.where(KEPT, 0, -np.inf)},
    ),
    "two masks": (
        "s = MatMul(q, t) m = Where(kept, s, lowest) n = Add(m, mask) p = Softmax<axis = -1>(n) y = MatMul(p, v)",
        {"bias": np.where(KEPT, MASK, -np.inf)},
    ),
    "casts, identities and dropout": (
        "s = MatMul(q, t) i = Identity(s) f = Cast<to = 1>(i) p = Softmax<axis = -1>(f) "
        "d = Dropout(p) g = Cast<to = 1>(d) y = MatMul(g, v)",
        {},
    ),
    "no NaN behind the softmax": (
        "s = MatMul(q, t) p = Softmax<axis = -1>(s) n = IsNaN(p) w = Where(n, nought, p) y = MatMul(w, v)",
        {},
    ),
    "capped": (
        "s = MatMul(q, t) c = Div(s, cap) h = Tanh(c) u = Mul(h, cap) m = Add(u, mask) "
        "p = Softmax<axis = -1>(m) y = MatMul(p, v)",
        {"cap": 0.7, "bias": MASK},
    ),
    "spelled-out softmax": (
        "s = MatMul(q, t) h = ReduceMax<axes = [-1]>(s) d = Sub(s, h) e = Exp(d) "
        "last = Constant<value_ints = [-1]>() n = ReduceSum(e, last) p = Div(e, n) y = MatMul(p, v)",
        {},
    ),
}


@pytest.mark.parametrize("times", [1, 90], ids=["few scores", "many scores"])
@pytest.mark.parametrize(("body", "meant"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings(body, meant, times):
    """Few are computed as such, of many the kernel keeps a block alone."""
    assert kinds(model(TURN + body)) == ["attention"]
    inputs = {"q": np.tile(Q, (1, 1, times, 1)), "mask": np.tile(MASK, (1, 1, times, 1))}
    (fused,), (plain,) = run(TURN + body, kept=np.tile(KEPT, (1, 1, times, 1)), **inputs)
    np.testing.assert_allclose(fused, np.tile(exact(**meant), (1, 1, times, 1)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


EINSUMS = {
    "torch": 's = Einsum<equation = "bhqd,bhkd->bhqk">(q, k) p = Softmax<axis = -1>(s) '
    'y = Einsum<equation = "bhqk,bhkd->bhqd">(p, v)',
    "keys first": 's = Einsum<equation = "acek, acbk -> acbe">(k, q) p = Softmax<axis = -1>(s) '
    'y = Einsum<equation = "acbe,acek->acbk">(p, v)',
    "values first": 's = Einsum<equation = "bhqd,bhkd->bhqk">(q, k) p = Softmax<axis = -1>(s) '
    'y = Einsum<equation = "bhkd,bhqk->bhqd">(v, p)',
}


@pytest.mark.parametrize("body", EINSUMS.values(), ids=EINSUMS)
def test_products_by_einsum(body):
    assert kinds(model(body)) == ["attention"]
    (fused,), _ = run(body)
    np.testing.assert_allclose(fused, exact(), rtol=1e-5, atol=1e-6)


def test_einsum_with_the_sequence_before_the_heads():
    """As Keras has it, through tf2onnx."""
    body = (
        's = Einsum<equation = "aecd,abcd->acbe">(k, q) c = Mul(s, scale) p = Softmax<axis = 3>(c) '
        'y = Einsum<equation = "acbe,aecd->abcd">(p, v)'
    )
    keras = parsed(
        body,
        "float[N,S,H,D] q, float[N,T,H,D] k, float[N,T,H,E] v",
        "float[N,S,H,E] y",
        constants={"scale": CONSTANTS["scale"]},
    )
    assert kinds(keras) == ["attention"]
    (fused,), _ = both(keras, *(np.ascontiguousarray(x.swapaxes(1, 2)) for x in (Q, K, V)))
    np.testing.assert_allclose(fused.swapaxes(1, 2), exact(scale=0.35), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "equations",
    [
        ("bhqd,bhkd->bhkq", "bhkq,bhkd->bhqd"),
        ("bhqd,bhkd->bhqk", "bhqk,bhqd->bhkd"),
    ],
)
def test_other_equations_are_none(equations):
    body = 's = Einsum<equation = "{}">(q, k) p = Softmax<axis = -1>(s) y = Einsum<equation = "{}">(p, v)'
    body = body.format(*equations)
    assert found(model(body)) == ([], [])


@pytest.mark.parametrize("opset", [7, 11, 12, 13, 18, 21])
@pytest.mark.parametrize("repeat", ["Expand", "Tile"])
def test_heads_that_are_repeated(opset, repeat):
    if opset < 8 and repeat == "Expand":
        pytest.skip("Expand came with opset 8")
    body = (
        f"ku = Unsqueeze(k, axis) ke = {repeat}(ku, wide_k) kr = Reshape(ke, full_k) "
        f"vu = Unsqueeze(v, axis) ve = {repeat}(vu, wide_v) vr = Reshape(ve, full_v) "
        "t = Transpose<perm = [0, 1, 3, 2]>(kr) s = MatMul(q, t) p = Softmax<axis = 3>(s) y = MatMul(p, vr)"
    )
    grouped = model(body, opset=opset)
    (kind, operators), *_ = found(grouped)[0]
    assert kind == "attention"
    assert operators.count("Unsqueeze") == 2
    k, v = K[:, :2], V[:, :2]
    wide = [np.array((N, 2, 2, T, D)), np.array((N, 2, 2, T, E))]
    if repeat == "Tile":
        wide = [np.array((1, 1, 2, 1, 1))] * 2
    full = [np.array((N, -1, T, D)), np.array((0, 4, T, E))]
    shapes = [wide[0], full[0], wide[1], full[1]]
    (fused,), (plain,) = both(grouped, Q, k, v, MASK, KEPT, *shapes)
    np.testing.assert_allclose(fused, exact(k=k, v=v), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


def test_heads_that_are_repeated_in_another_order_run_node_by_node():
    """Unsqueeze in front of the heads: all of them, and all of them again."""
    body = (
        "ku = Unsqueeze(k, one) ke = Expand(ku, wide_k) kr = Reshape(ke, full_k) "
        "t = Transpose<perm = [0, 1, 3, 2]>(kr) s = MatMul(q, t) p = Softmax<axis = -1>(s) y = MatMul(p, v)"
    )
    other = parsed(body, INPUTS, "float[N,H,S,E] y", constants={"one": np.array([1])})
    shapes = [np.array((N, 2, 2, T, D)), np.array((N, 4, T, D)), np.array([1]), np.array([1])]
    (fused,), _ = both(other, Q, K[:, :2], V, MASK, KEPT, *shapes)
    np.testing.assert_allclose(fused, exact(k=np.tile(K[:, :2], (1, 2, 1, 1))), rtol=1e-5, atol=1e-6)


def test_keys_turned_with_all_heads_in_one_axis():
    """As torch's newer exporter writes scaled_dot_product_attention."""
    body = (
        "f = Reshape(k, wide_k) t = Transpose<perm = [0, 2, 1]>(f) u = Reshape(t, full_k) "
        "s = MatMul(q, u) p = Softmax<axis = -1>(s) y = MatMul(p, v)"
    )
    flat = model(body)
    assert found(flat)[0][0][1] == ["Reshape", "Transpose", "Reshape", "MatMul", "Softmax", "MatMul"]
    good = [np.array((-1, T, D)), np.array((N, H, D, T))]
    (fused,), _ = both(flat, Q, K, V, MASK, KEPT, *good, *good)
    np.testing.assert_allclose(fused, exact(), rtol=1e-5, atol=1e-6)
    # The same nodes, that do something else: (T, D) is read as (D, T) before it is turned.
    k = np.ascontiguousarray(K.reshape(N, H, D, T))
    mixed = [np.array((N * H, T, D)), np.array((N, H, D, T))]
    (fused,), (plain,) = both(flat, Q, k, V, MASK, KEPT, *mixed, *mixed)
    np.testing.assert_array_equal(fused, plain)


@pytest.mark.parametrize("rank", [2, 3])
def test_of_lower_rank(rank):
    names = "NST"[3 - rank :]
    body = "t = Transpose<perm = [0, 2, 1]>(k) " if rank == 3 else "t = Transpose<perm = [1, 0]>(k) "
    body += "s = MatMul(q, t) m = Add(s, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)"
    lead = "N," if rank == 3 else ""
    low = parsed(
        body,
        f"float[{lead}S,D] q, float[{lead}T,D] k, float[{lead}T,E] v, float[{','.join(names)}] mask",
        f"float[{lead}S,E] y",
    )
    assert kinds(low) == ["attention"]
    q, k, v, mask = Q[:, 0], K[:, 0], V[:, 0], MASK[:, 0]
    inputs = (q, k, v, mask) if rank == 3 else (q[0], k[0], v[0], mask[0])
    (fused,), _ = both(low, *inputs)
    wanted = exact(q[:, None], k[:, None], v[:, None], bias=mask[:, None])[:, 0]
    np.testing.assert_allclose(fused, wanted if rank == 3 else wanted[0], rtol=1e-5, atol=1e-6)


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
