"""Graphs of attention, in the parts that exporters write it in, run with and without fusions."""

import numpy as np
from fusing import both, parsed

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
