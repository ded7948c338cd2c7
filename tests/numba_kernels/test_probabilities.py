"""What probabilities must be besides exact: in [0, 1], in the order of the scores, the same bits on any threads."""

import numpy as np
import pytest

from softops import numba_kernels as kernels

LN2 = 0.6931471805599453


def consecutive(center, count, dtype):
    """`count` neighbouring numbers around `center`, ascending."""
    values = [np.asarray(center, dtype)[()]]
    for _ in range(count // 2):
        values.insert(0, np.nextafter(values[0], dtype.type(-np.inf)))
        values.append(np.nextafter(values[-1], dtype.type(np.inf)))
    return np.array(values, dtype)


def near_ties(dtype):
    """Ascending rows of neighbouring numbers: around many magnitudes and at the joints of the exponential."""
    lowest = 150 if dtype == np.float32 else 1074
    joints = [(k + 0.5) * LN2 for k in (*range(-20, 20), -lowest, -lowest + 1, -127, -126, 126, 127, 300)]
    magnitudes = [sign * 10.0**e * 1.7 for sign in (1, -1) for e in range(-8, 9)]
    edges = [255.99, 256, 256.01, 104, 4096, 4096.1, 1e30, -1e30, 0]
    return [consecutive(center, 70, dtype) for center in (*joints, *magnitudes, *edges)]


@pytest.mark.parametrize("ahead", [None, 0, 1e-6, 0.3, 5, 60, 90])
@pytest.mark.parametrize("operator", ["softmax", "log_softmax"])
def test_monotone_in_the_scores(operator, ahead, dtype):
    """x_i ≥ x_j gives p_i ≥ p_j, and equal scores equal results, beside a maximum of their own or one ahead."""
    ascending = np.array(near_ties(dtype))
    if ahead is not None:
        ascending = np.concatenate([ascending, ascending[:, -1:] + dtype.type(ahead)], axis=1)
    order = np.random.default_rng(0).permutation(2 * ascending.shape[1])
    twice = np.concatenate([ascending, ascending], axis=1)
    shuffled = np.ascontiguousarray(twice[:, order])
    back = np.empty_like(twice)
    back[:, order] = getattr(kernels, operator)(shuffled)
    n = ascending.shape[1]
    np.testing.assert_array_equal(back[:, :n], back[:, n:])
    assert (np.diff(back[:, :n]) >= 0).all()


def test_sigmoid_is_monotone(dtype):
    for ascending in near_ties(dtype):
        assert (np.diff(kernels.sigmoid(ascending)) >= 0).all()


def test_never_negative_never_above_one(dtype):
    random = np.random.default_rng(1)
    for n in (1, 2, 3, 15, 16, 17, 100, 1000):
        for sigma in (1e-3, 1, 5, 40, 300):
            x = (random.standard_normal((50, n)) * sigma).astype(dtype)
            x[:, 0] = x.max(1) + random.uniform(0, 40, 50).astype(dtype)  # winners from near 1/n to near 1
            p, logs = kernels.softmax(x), kernels.log_softmax(x)
            assert p.min() >= 0
            assert p.max() <= 1
            assert not np.signbit(p).any()
            assert logs.max() <= 0


@pytest.mark.parametrize("value", [0, 1, -1, 88.7, -300, 1e4, 1e30, -1e30, 1e-40, np.finfo(np.float32).max])
def test_one_class_is_certain(value, dtype):
    for shape in ((1,), (1000, 1)):
        x = np.full(shape, value, dtype)
        np.testing.assert_array_equal(kernels.softmax(x), np.ones_like(x), strict=True)
        np.testing.assert_array_equal(kernels.log_softmax(x), np.zeros_like(x), strict=True)
        np.testing.assert_array_equal(kernels.logsumexp(x, keepdims=True), x, strict=True)


@pytest.mark.parametrize("n", [2, 16, 40])
def test_underflow_is_gradual(n, dtype):
    """Two, one and no units of the smallest subnormal number, where the exact values round to that."""
    smallest = np.log(np.finfo(dtype).smallest_subnormal.astype(np.longdouble))
    x = np.full(n, -np.inf, dtype)
    x[0] = 0
    for below, units in (
        (smallest + np.log(2.0), 2),
        (smallest + 0.01, 1),
        (smallest - 0.6, 1),
        (smallest - 0.8, 0),
    ):
        x[-1] = below
        assert kernels.softmax(x)[-1] / np.finfo(dtype).smallest_subnormal == units
        assert kernels.sigmoid(x[-1:])[0] / np.finfo(dtype).smallest_subnormal == units
    x[-1] = np.log(1e-40)
    assert kernels.softmax(x)[-1] == pytest.approx(np.exp(x[-1], dtype=np.float64), rel=1e-4)
    assert kernels.softmax(x)[-1] > 0


SAME_BITS = """
import numba, numpy as np
from softops import numba_kernels as kernels

for dtype in DTYPES:
    for shape in SHAPES:
        x = np.random.default_rng(0).standard_normal(shape).astype(dtype) * 7
        y = np.flip(x).copy()
        labels = np.arange(shape[0]) % shape[1]
        calls = {
            "softmax": (x,), "log_softmax": (x,), "hardmax": (x,), "logsumexp": (x,), "sigmoid": (x,),
            "softmax_grad": (x, y), "cross_entropy": (x, labels),
        }
        for name, arguments in calls.items():
            results = set()
            for threads in (1, 2, 4, 3):
                numba.set_num_threads(threads)
                results.add(np.asarray(getattr(kernels, name)(*arguments)).tobytes())
                assert numba.get_num_threads() == threads
            print(name, np.dtype(dtype).name, shape, len(results))
"""


def test_same_bits_on_any_number_of_threads(run_python, dtype):
    shapes = [(3, 40009), (1000, 17), (65, 1000), (1, 150001)]
    code = SAME_BITS.replace("DTYPES", repr([dtype.name])).replace("SHAPES", repr(shapes))
    lines = run_python(code, NUMBA_NUM_THREADS=4).splitlines()
    assert len(lines) == 7 * len(shapes)
    assert [line for line in lines if not line.endswith(" 1")] == []
