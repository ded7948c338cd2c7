"""attention_grad against the derivative of the formula in extended precision, and against finite differences of it."""

import attention_oracle as oracle
import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import attention, attention_grad

ONE = (2, 4, 2, 50, 130, 20, 24)


def made(shape, dtype=np.float32, seed=0):
    batch, heads, key_heads, queries, keys, depth, width = shape
    rng = np.random.default_rng(seed)
    rows = (batch, heads, queries, depth), (batch, key_heads, keys, depth), (batch, key_heads, keys, width)
    shapes = [*rows, (batch, heads, queries, width), (batch, heads, queries)]
    return [rng.normal(size=each).astype(dtype) for each in shapes]


def exact(
    q, k, v, dout, dlog, *, mask=None, is_causal=False, scale=None, softcap=0.0, window=None, sink=None
):
    """(dq, dk, dv, dsink) and for each how large what is summed is."""
    group, dtype = q.shape[1] // k.shape[1], np.longdouble
    q, k, v, dout, dlog = (x.astype(dtype) for x in (q, k, v, dout, dlog))
    wide_k, wide_v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    raw = scale * q @ wide_k.transpose(0, 1, 3, 2)
    capped = softcap * np.tanh(raw / softcap) if softcap else raw
    bend = 1 - (capped / softcap) ** 2 if softcap else 1
    shown = band(is_causal, window, q, k)
    if mask is not None:
        shown = shown & (mask if mask.dtype == bool else ~np.isneginf(mask))
        capped = capped if mask.dtype == bool else capped + np.where(np.isneginf(mask), 0, mask)
    scores = np.where(shown, capped, -np.inf)
    sinks = np.full((q.shape[1], 1, 1), -np.inf) if sink is None else sink.astype(dtype)[:, None, None]
    top = np.maximum(scores.max(axis=-1, keepdims=True), sinks)
    top = np.where(np.isneginf(top), 0, top)
    terms = np.exp(scores - top)
    total = terms.sum(axis=-1, keepdims=True) + np.exp(sinks - top)
    p = np.where(total > 0, terms / np.where(total > 0, total, 1), 0)
    of_sink = np.where(total > 0, np.exp(sinks - top) / np.where(total > 0, total, 1), 0)
    out = p @ wide_v
    delta = (dout * out).sum(axis=-1, keepdims=True) - dlog[..., None]
    dp = dout @ wide_v.transpose(0, 1, 3, 2)
    ds = p * (dp - delta) * bend
    size = p * (
        np.abs(dout) @ np.abs(wide_v).transpose(0, 1, 3, 2)
        + (np.abs(dout) @ np.abs(wide_v).transpose(0, 1, 3, 2)).max(axis=-1, keepdims=True)
        + np.abs(dlog)[..., None]
    )

    def shared(x):
        return x.reshape(x.shape[0], -1, group, *x.shape[2:]).sum(axis=2)

    def turned(x):
        return x.transpose(0, 1, 3, 2)

    slopes = scale * ds @ wide_k, shared(scale * turned(ds) @ q), shared(turned(p) @ dout)
    sizes = (
        abs(scale) * size @ np.abs(wide_k),
        shared(abs(scale) * turned(size) @ np.abs(q)),
        shared(turned(p) @ np.abs(dout)),
    )
    return (
        [*slopes, -(of_sink * delta).sum(axis=(0, 2, 3))],
        sizes,
        np.abs(scores[np.isfinite(scores)]).max(initial=1),
    )


def band(is_causal, window, q, k):
    return oracle.band(is_causal, window, q.shape[2], k.shape[2])


def check(found, right, sizes, largest, dtype, terms):
    """Each sum within the rounding of its terms: those of the products, of the scores and of the log-sum."""
    unit = 2.0**-53 if dtype == np.float64 else 2.0**-24
    half = 0.51 * float(ml_dtypes.finfo(dtype).eps) if np.dtype(dtype).itemsize == 2 else 0
    # half results: out comes rounded to a half, and delta with it
    out_rounded = float(ml_dtypes.finfo(dtype).eps) if np.dtype(dtype).itemsize == 2 else 0
    for own, exactly, size in zip(found, right, sizes, strict=False):
        bound = size * (unit * (terms + 8 * largest) + out_rounded) + half * np.abs(exactly) + 1e-7 * half
        assert own.dtype == dtype
        assert (np.abs(own - exactly) <= bound).all()


OPTIONS = {
    "plain": {},
    "causal": {"is_causal": True},
    "bottom-right window": {"is_causal": "bottom-right", "window": (9, -1)},
    "window": {"window": 3},
    "softcap": {"softcap": 1.5, "scale": 0.4},
    "sink": {"sink": np.array([-3.0, 0.5, 3.0, 9.0], np.float32)},
    "mask": {"mask": np.random.default_rng(5).random((4, 50, 130)) < 0.6},
    "added": {"mask": np.linspace(-2, 2, 130, dtype=np.float32)},
    "all": {
        "mask": np.random.default_rng(5).random((50, 130)) < 0.5,
        "is_causal": True,
        "softcap": 2.0,
        "sink": np.zeros(4, np.float32),
    },
}


def computed(q, k, v, dout, dlog=None, **options):
    out, log_sums = attention(q, k, v, return_logsumexp=True, **options)
    return attention_grad(dout, q, k, v, out, log_sums, dlogsumexp=dlog, **options)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_options(name, dtype):
    *given, dlog = made(ONE, dtype)
    found = computed(*given, dlog, **OPTIONS[name])
    right, sizes, largest = exact(*given, dlog, **OPTIONS[name])
    check(found[:3], right, sizes, largest, dtype, terms=400)
    if "sink" in OPTIONS[name]:
        assert np.allclose(found[3], right[3].astype(np.float64), rtol=1e-4, atol=1e-5)
    else:
        assert len(found) == 3


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_halves(dtype):
    *given, dlog = made((1, 2, 1, 40, 100, 9, 40), dtype)
    right, sizes, largest = exact(*given, 0 * dlog)
    check(computed(*given), right, sizes, largest, dtype, terms=400)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1, 1, 1, 1), (1, 2, 1, 100, 33, 64, 64), (1, 3, 1, 5, 200, 3, 40)]
)
def test_shapes(shape):
    *given, dlog = made(shape)
    right, sizes, largest = exact(*given, 0 * dlog)
    check(computed(*given), right, sizes, largest, np.float32, terms=sum(shape))


def test_finite_differences():
    """Of the formula itself, so that the derivative is not only that of another derivation."""
    options = {"softcap": 2.0, "is_causal": True, "sink": np.zeros(2)}
    *given, dout, dlog = made((1, 2, 1, 5, 7, 3, 4), np.float64)
    slopes, step = computed(*given, dout, dlog, **options), 1e-5

    def loss(arrays):
        out, log_sums, _, _ = oracle.attention(*arrays, **options)
        return float((out * dout).sum() + (log_sums * dlog).sum())

    for which, slope in enumerate(slopes[:3]):
        for place in [(0, 0, 0, 0), (0, 0, 2, 1), (0, 0, 4, 2)]:
            ends = []
            for side in (step, -step):
                moved = [x.copy() for x in given]
                moved[which][place] += side
                ends.append(loss(moved))
            assert slope[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_fully_masked_queries_have_no_slope():
    *given, _ = made(ONE)
    mask = np.ones((50, 130), bool)
    mask[7] = False
    dq, _, _ = computed(*given, mask=mask)
    assert (dq[:, :, 7] == 0).all()
    assert np.isfinite(dq).all()


def test_the_same_bits_on_any_number_of_threads_and_any_layout(threads):
    *given, _ = made((2, 4, 2, 150, 300, 64, 64))
    together = computed(*given, is_causal=True)
    inside = [np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for x in given]
    for a, b in zip(computed(*inside, is_causal=True), together, strict=True):
        assert np.array_equal(a, b)
    threads(1)
    for a, b in zip(computed(*given, is_causal=True), together, strict=True):
        assert np.array_equal(a, b)


def test_faults():
    q, k, v, dout, dlog = made(ONE)
    out, log_sums = attention(q, k, v, return_logsumexp=True)
    with pytest.raises(
        ValueError, match=r"takes dout of attention's result, float32 of shape \(2, 4, 50, 24\)"
    ):
        attention_grad(dout[..., 1:], q, k, v, out, log_sums)
    with pytest.raises(
        ValueError, match=r"takes logsumexp of attention's result, float32 of shape \(2, 4, 50\)"
    ):
        attention_grad(dout, q, k, v, out, log_sums.astype(np.float64))
    with pytest.raises(ValueError, match="dlogsumexp"):
        attention_grad(dout, q, k, v, out, log_sums, dlogsumexp=dlog[0])
    for slope, x in zip(
        attention_grad(dout[:0], q[:0], k[:0], v[:0], out[:0], log_sums[:0]), (q, k, v), strict=True
    ):
        assert slope.shape == (0, *x.shape[1:])
