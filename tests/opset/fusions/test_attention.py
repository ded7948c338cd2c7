"""Attention, in the parts that exporters write it in."""

import numpy as np
import pytest
from attention_graphs import CONSTANTS, INPUTS, KEPT, MASK, TURN, D, E, H, K, N, Q, T, V, exact, model, run
from fusing import both, found, kinds, parsed

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
