"""attention_decode against extended precision, sequence by sequence."""

import attention_oracle as oracle
import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import attention_decode

LENGTHS = [0, 1, 95, 1024, 2500]


def made(dtype=np.float32, heads=4, key_heads=2, depth=24, width=20, capacity=2600, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (5, heads, depth), (5, key_heads, capacity, depth), (5, key_heads, capacity, width)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def check(result, log_sum, q, k, v, left=-1, **options):
    """Each sequence by itself, with a ULP more for each part of its keys."""
    for i, length in enumerate(LENGTHS):
        first = max(length - 1 - left, 0) if left >= 0 else 0
        own = q[i : i + 1, :, None], k[i : i + 1, :, first:length], v[i : i + 1, :, first:length]
        right, log_right, bound, log_bound = oracle.attention(*own, **options)
        unit = 2.0**-53 if q.dtype == np.float64 else 2.0**-24
        half = 0.51 * float(ml_dtypes.finfo(q.dtype).eps) if q.itemsize == 2 else 0
        more = 8 * unit * np.abs(own[2]).max(initial=0) + half * np.abs(right)
        assert (np.abs(result[i][None, :, None] - right) <= bound + more).all()
        if np.isfinite(log_right).all():
            assert (np.abs(log_sum[i][None, :, None] - log_right) <= log_bound).all()
        else:
            assert np.array_equal(log_sum[i][None, :, None], log_right)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("heads", "key_heads"), [(4, 2), (3, 3), (34, 1)])
def test_every_dtype_and_grouping(dtype, heads, key_heads):
    q, k, v = made(dtype, heads, key_heads)
    check(*attention_decode(q, k, v, LENGTHS, return_logsumexp=True), q, k, v)


@pytest.mark.parametrize(
    "options",
    [
        {"sink": np.array([0.5, -np.inf, 30.0, 2.0], np.float32)},
        {"softcap": 2.0, "scale": 0.9},
        {"window": 100},
        {"window": (0, -1)},
        {"window": 1500, "sink": np.zeros(4, np.float32)},
    ],
    ids=str,
)
def test_options(options):
    q, k, v = made()
    result = attention_decode(q, k, v, np.array(LENGTHS), return_logsumexp=True, **options)
    window = options.pop("window", -1)
    check(*result, q, k, v, left=window if isinstance(window, int) else window[0], **options)


def test_what_lies_behind_the_length_is_not_read():
    q, k, v = made()
    plain = attention_decode(q, k, v, LENGTHS)
    for i, length in enumerate(LENGTHS):
        k[i, :, length:], v[i, :, length:] = np.nan, np.inf
    assert np.array_equal(attention_decode(q, k, v, LENGTHS), plain)


def test_one_length_for_all_and_caches_with_steps():
    q, k, v = made()
    inside = [np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for x in (k, v)]
    result = attention_decode(q, *inside, 700)
    assert np.array_equal(result, attention_decode(q, k, v, [700] * 5))
    out = np.empty((20, 4, 5), np.float32).T
    assert attention_decode(q, k, v, 700, out=out) is out
    assert np.array_equal(out, result)


def test_the_same_bits_on_any_number_of_threads(threads):
    q, k, v = made()
    together = attention_decode(q, k, v, LENGTHS)
    threads(1)
    assert np.array_equal(attention_decode(q, k, v, LENGTHS), together)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"lengths": [1, 2, 3]}, ValueError, r"of shape \(5,\)"),
        ({"lengths": 2601}, ValueError, "from 0 to the 2600 keys of the cache"),
        ({"lengths": -1}, ValueError, "from 0"),
        ({"lengths": 1.5}, TypeError, "whole numbers"),
        ({"q": np.zeros((5, 4, 1, 24), np.float32)}, ValueError, r"\(batch, heads, depth\)"),
        ({"out": np.zeros((5, 4, 21), np.float32)}, ValueError, r"\(5, 4, 20\)"),
    ],
    ids=lambda x: "",
)
def test_faults(changed, error, words):
    given = dict(zip(("q", "k_cache", "v_cache"), made(), strict=True)) | {"lengths": 5}
    with pytest.raises(error, match=words):
        attention_decode(**(given | changed))
