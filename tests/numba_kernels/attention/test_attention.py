"""attention against extended precision, within bounds derived from its formula; its options, layouts and faults."""

import attention_oracle as oracle
import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import attention

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
# batch, heads, key heads, queries, keys, depth, width
ONE = (2, 4, 2, 50, 130, 20, 24)
SHAPES = [
    (1, 1, 1, 1, 1, 1, 1),
    ONE,
    (1, 2, 1, 33, 97, 64, 64),
    (1, 3, 3, 200, 10, 5, 40),
    (1, 1, 1, 2, 300, 7, 3),
]


def made(shape, dtype=np.float32, seed=0, size=1.0):
    batch, heads, key_heads, queries, keys, depth, width = shape
    rng = np.random.default_rng(seed)
    shapes = (batch, heads, queries, depth), (batch, key_heads, keys, depth), (batch, key_heads, keys, width)
    return [(rng.normal(size=each) * size).astype(dtype) for each in shapes]


def within(result, q, k, v, **options):
    """Whether a result is within its bound, with half a unit more of a half."""
    right, _, bound, _ = oracle.attention(q, k, v, **options)
    rounding = np.abs(right) * (0.51 * float(ml_dtypes.finfo(q.dtype).eps) if q.itemsize == 2 else 0)
    tiny = float(ml_dtypes.finfo(q.dtype).smallest_subnormal)
    assert (np.abs(result.astype(np.longdouble) - right) <= bound + rounding + tiny).all()
    return True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_dtype(shape, dtype):
    heads = made(shape, dtype)
    result = attention(*heads)
    assert result.dtype == dtype
    assert within(result, *heads)


@pytest.mark.parametrize("size", [8.0, 60.0])
def test_large_scores(size):
    heads = made(ONE, size=size)
    assert within(attention(*heads), *heads)


def random_mask(shape, seed=5):
    return np.random.default_rng(seed).random(shape) < 0.6


OPTIONS = {
    "causal": {"is_causal": True},
    "bottom-right": {"is_causal": "bottom-right"},
    "window": {"window": 7},
    "left": {"window": (20, -1)},
    "right": {"window": (-1, 0)},
    "causal window": {"is_causal": "bottom-right", "window": (3, -1)},
    "scale": {"scale": -0.3},
    "softcap": {"softcap": 1.5},
    "sink": {"sink": np.array([-30.0, 0.5, 3.0, 30.0], np.float32)},
    "mask of all": {"mask": random_mask((2, 4, 50, 130))},
    "mask of keys": {"mask": random_mask((2, 1, 1, 130))},
    "mask of queries and keys": {"mask": random_mask((50, 130)), "is_causal": True},
    "mask of queries": {"mask": random_mask((50, 1))},
    "one mask": {"mask": np.array(True)},
    "added": {"mask": np.where(random_mask((4, 50, 130)), 0.25, -np.inf).astype(np.float32)},
    "added to keys": {"mask": np.linspace(-3, 3, 130, dtype=np.float32)},
    "all": {
        "mask": random_mask((4, 50, 130)),
        "is_causal": "bottom-right",
        "softcap": 2.0,
        "window": (60, 0),
        "sink": np.array([0.0, 1.0, 2.0, -np.inf], np.float32),
    },
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_options(name, dtype):
    heads, options = made(ONE, dtype), OPTIONS[name]
    result, log_sum = attention(*heads, **options, return_logsumexp=True)
    assert within(result, *heads, **options)
    _, right, _, bound = oracle.attention(*heads, **options)
    there = np.isfinite(right)
    assert np.array_equal(log_sum[~there], right[~there])
    assert (np.abs(log_sum[there] - right[there]) <= bound[there]).all()


def test_fully_masked_rows_are_zero():
    q, k, v = made(ONE)
    mask = np.ones((50, 130), bool)
    mask[[3, 40]] = False
    result, log_sum = attention(q, k, v, mask=mask, return_logsumexp=True)
    assert (result[:, :, [3, 40]] == 0).all()
    assert np.isneginf(log_sum[:, :, [3, 40]]).all()
    others = np.delete(np.arange(50), [3, 40])
    assert np.array_equal(result[:, :, others], attention(q, k, v)[:, :, others])
    sink = np.arange(4, dtype=np.float32)
    result, log_sum = attention(q, k, v, mask=mask, sink=sink, return_logsumexp=True)
    assert (result[:, :, 3] == 0).all()
    assert np.array_equal(log_sum[:, :, 3], np.broadcast_to(sink, (2, 4)))


def test_odd_numbers_stay_with_their_query():
    q, k, v = made(ONE)
    plain = attention(q, k, v)
    q[0, 1, 7, 3], q[1, 2, 9, 0] = np.nan, np.inf
    odd = attention(q, k, v)
    assert np.isnan(odd[0, 1, 7]).all()
    assert np.isnan(odd[1, 2, 9]).all()
    odd[0, 1, 7], odd[1, 2, 9] = plain[0, 1, 7], plain[1, 2, 9]
    assert np.array_equal(odd, plain)


def test_what_comes_later_is_nothing_to_a_causal_query():
    """In later blocks of keys, whatever they hold."""
    q, k, v = made((1, 1, 1, 300, 300, 8, 8))
    plain = attention(q, k, v, is_causal=True)
    k[:, :, 192:], v[:, :, 192:] = np.nan, np.nan
    assert np.array_equal(attention(q, k, v, is_causal=True)[:, :, :192], plain[:, :, :192])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_query_by_itself_is_the_query_among_others(dtype):
    q, k, v = made((2, 2, 1, 100, 250, 33, 20), dtype)
    together = attention(q, k, v, softcap=3.0)
    for first, last in ((0, 1), (31, 33), (57, 100)):
        assert np.array_equal(attention(q[:, :, first:last], k, v, softcap=3.0), together[:, :, first:last])
    mask = np.tril(np.ones((100, 250), bool))
    assert np.array_equal(attention(q, k, v, is_causal=True), attention(q, k, v, mask=mask))


def test_the_same_bits_on_any_number_of_threads(threads):
    heads = made((2, 4, 2, 150, 300, 64, 64))
    together = attention(*heads, is_causal=True)
    threads(1)
    assert np.array_equal(attention(*heads, is_causal=True), together)


def test_heads_inside_rows_need_no_copy():
    inside = [np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for x in made(ONE)]
    result = attention(*inside)
    assert result.transpose(0, 2, 1, 3).flags.c_contiguous
    assert np.array_equal(result, attention(*made(ONE)))
    q, k, v = made(ONE)
    assert np.array_equal(
        attention(q[..., ::2], k[..., ::-2][..., ::-1], v[:, :, ::-1][:, :, ::-1]),
        attention(*(np.ascontiguousarray(x) for x in (q[..., ::2], k[..., ::-2][..., ::-1], v))),
    )


def test_out():
    q, k, v = made((1, 2, 2, 20, 20, 16, 16))
    plain = attention(q, k, v)
    for out in (
        np.empty_like(plain),
        np.empty((1, 20, 2, 16), np.float32).transpose(0, 2, 1, 3),
        np.empty((1, 2, 16, 20), np.float32).transpose(0, 1, 3, 2),
        q,
    ):
        assert attention(q.copy(), k, v, out=out) is out
        assert np.array_equal(out, plain)
    assert attention(q, k, v, out=v) is v  # which is still read while it is written


def test_nothing_to_attend_to():
    q, k, v = made((1, 2, 2, 3, 0, 4, 5))
    result, log_sum = attention(q, k, v, return_logsumexp=True)
    assert np.array_equal(result, np.zeros((1, 2, 3, 5)))
    assert np.isneginf(log_sum).all()
    assert attention(*made((0, 2, 2, 3, 4, 4, 5))).shape == (0, 2, 3, 5)
    assert attention(*made((1, 2, 2, 0, 4, 4, 5))).shape == (1, 2, 0, 5)


def test_memory_is_that_of_the_result(run_python):
    """Not that of 8192 × 8192 scores, 256 MB."""
    code = """
from pathlib import Path
import numpy as np
from softops.numba_kernels import attention
def peak():  # Linux hands the peak of the process that started it on to getrusage
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
x = np.ones((1, 1, 8192, 64), np.float32)
attention(x[:, :, :200], x[:, :, :200], x[:, :, :200])
before = peak()
attention(x, x, x)
print(peak() - before)
"""
    assert int(run_python(code)) < 64 * 1024


FAULTS = [
    ({"q": np.zeros((2, 3, 4))}, ValueError, r"\(batch, heads, length, depth\) \(got \(2, 3, 4\)"),
    ({"k": np.zeros((2, 2, 5, 9))}, ValueError, r"k \(batch, key heads, keys, depth\)"),
    ({"k": np.zeros((2, 3, 5, 8)), "v": np.zeros((2, 3, 5, 8))}, ValueError, r"\(got 4 for 3\)"),
    ({"v": np.zeros((2, 2, 5, 8), np.float32)}, TypeError, "one dtype"),
    ({"is_causal": "left"}, ValueError, "'bottom-right' \\(got 'left'\\)"),
    ({"window": (1, -2)}, ValueError, r"-1 for open \(got \(1, -2\)\)"),
    ({"window": 1.5}, (ValueError, TypeError), "window|iterable"),
    ({"scale": np.nan}, ValueError, "finite scale"),
    ({"softcap": -1.0}, ValueError, "softcap"),
    (
        {"mask": np.ones((3, 5), bool)},
        ValueError,
        r"broadcasts to \(batch, heads, queries, keys\), \(2, 4, 6, 5\)",
    ),
    ({"mask": np.ones((6, 5), int)}, TypeError, "mask of bool"),
    ({"sink": np.zeros(2)}, ValueError, r"of shape \(4,\) \(got \(2,\)\)"),
    ({"out": np.zeros((2, 4, 6, 8), np.float32)}, ValueError, "float64"),
]


@pytest.mark.parametrize(("changed", "error", "words"), FAULTS, ids=lambda x: "")
def test_faults(changed, error, words):
    given = {"q": np.zeros((2, 4, 6, 8)), "k": np.zeros((2, 2, 5, 8)), "v": np.zeros((2, 2, 5, 8))}
    with pytest.raises(error, match=words):
        attention(**(given | changed))


def test_torch_agrees():
    torch = pytest.importorskip("torch")
    q, k, v = made((2, 4, 4, 40, 70, 32, 32))
    theirs, mask = [torch.tensor(x) for x in (q, k, v)], random_mask((40, 70)) | (np.arange(70) == 0)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert np.allclose(attention(q, k, v), attend(*theirs).numpy(), rtol=1e-4, atol=1e-5)
    causal = attend(*theirs, is_causal=True).numpy()
    assert np.allclose(attention(q, k, v, is_causal=True), causal, rtol=1e-4, atol=1e-5)
    masked = attend(*theirs, attn_mask=torch.tensor(mask)).numpy()
    assert np.allclose(attention(q, k, v, mask=mask), masked, rtol=1e-4, atol=1e-5)
