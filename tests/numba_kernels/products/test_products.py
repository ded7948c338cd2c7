"""The block product: right within the bound of a sum in order, and that very sum, however the work is cut."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels.linear.inputs import layer_of
from softops.numba_kernels.linear.product import product
from softops.numba_kernels.vector import fuses

# Narrow panels, wide ones, both; one tile and several; a depth of 0 and 1; more rows than a piece has.
SHAPES = [(1, 1, 1), (8, 100, 37), (17, 33, 200), (50, 64, 10), (100, 300, 130), (6, 0, 9), (800, 7, 5)]
WEIGHTS = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def layer(rows, depth, classes, weight_dtype, seed=0):
    rng = np.random.default_rng(seed)
    wide = np.float64 if weight_dtype == np.float64 else np.float32
    x, weight = (
        rng.normal(size=(rows, depth)).astype(wide),
        rng.normal(size=(classes, depth)).astype(weight_dtype),
    )
    return x, weight, rng.normal(size=classes).astype(wide)


def computed(x, weight, bias=None):
    return product(layer_of("test", x, weight, bias))


@pytest.mark.parametrize("dtype", WEIGHTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_within_the_bound_of_a_sum_in_order(shape, dtype):
    x, weight, bias = layer(*shape, dtype)
    exact = x.astype(np.longdouble) @ weight.astype(np.longdouble).T + bias
    size = np.abs(x).astype(np.longdouble) @ np.abs(weight.astype(np.longdouble)).T + np.abs(bias)
    unit = np.finfo(x.dtype).eps / 2
    assert (np.abs(computed(x, weight, bias) - exact) <= (shape[1] + 1) * unit * size).all()


def in_order(a, b):
    """Σ a · b in float32 by fused multiply-adds, number after number."""
    total = Fraction(0)
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        exact = Fraction(x) * Fraction(y) + total
        near = np.float32(float(exact))
        below, above = (np.nextafter(near, np.float32(side)) for side in (-np.inf, np.inf))
        # float() rounds to 53 bits first, so that a tie of float32 may have been made: take the nearest by itself
        distances = {candidate: abs(Fraction(float(candidate)) - exact) for candidate in (below, near, above)}
        least = min(distances.values())
        ties = [c for c, distance in distances.items() if distance == least]
        even = [c for c in ties if np.float32(c).view(np.int32) % 2 == 0]
        total = Fraction(float(ties[0] if len(ties) == 1 else even[0]))
    return np.float32(float(total))


@pytest.mark.skipif(not fuses(), reason="the sum is by fused multiply-adds where there are any")
@pytest.mark.parametrize(("rows", "classes"), [(1, 3), (49, 2)])
def test_the_sum_is_taken_in_order(rows, classes):
    x, weight, _ = layer(rows, 90, classes, np.float32)
    expected = [[in_order(row, of_class) for of_class in weight] for row in x]
    assert np.array_equal(computed(x, weight), np.array(expected))


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_a_row_by_itself_is_the_row_among_others(dtype):
    x, weight, bias = layer(100, 301, 77, dtype)
    together = computed(x, weight, bias)
    for first, last in ((0, 1), (3, 11), (40, 100), (17, 66)):
        assert np.array_equal(computed(x[first:last], weight, bias), together[first:last])
    assert np.array_equal(computed(x, weight[5:8], bias[5:8]), together[:, 5:8])


def test_the_same_bits_on_any_number_of_threads(threads):
    x, weight, bias = layer(800, 64, 300, np.float32)
    together = computed(x, weight, bias)
    threads(1)
    assert np.array_equal(computed(x, weight, bias), together)


@pytest.mark.parametrize(
    "weight",
    [np.ones((6, 20))[::-2, ::2], np.ones((20, 6), order="C").T[:3, ::2]],
    ids=["rows", "transposed"],
)
def test_weights_with_steps(weight):
    x = np.arange(30.0).reshape(3, 10)
    weight = weight * np.arange(3.0)[:, None]
    assert np.array_equal(computed(x, weight), x @ weight.T)


def test_what_is_not_finite_stays_in_its_row_and_class():
    x, weight, bias = layer(40, 20, 30, np.float32)
    plain = computed(x, weight, bias)
    x[3, 4], weight[7, 1] = np.nan, np.inf
    odd = computed(x, weight, bias)
    assert np.isnan(odd[3]).all()
    assert not np.isfinite(odd[:, 7]).any()
    odd[3], odd[:, 7] = plain[3], plain[:, 7]
    assert np.array_equal(odd, plain)
