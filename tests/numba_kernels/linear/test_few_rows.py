"""The product of a few rows, whose sums lie along the features."""

import numpy as np
import pytest

from softops.numba_kernels.linear.few_rows import few_rows_product
from softops.numba_kernels.linear.inputs import layer_of

SHAPES = [(1, 1, 1), (1, 7, 5), (2, 16, 64), (3, 33, 65), (1, 256, 130), (2, 5, 0), (0, 5, 3)]


def layer(rows, features, classes, dtype=np.float32, weights=None):
    random = np.random.default_rng(rows + features + classes)
    arrays = (
        random.standard_normal(shape).astype(dtype)
        for shape in ((rows, features), (classes, features), classes)
    )
    x, weight, bias = arrays
    return layer_of("product", x, weight.astype(weights or dtype), bias)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_within_the_bound_of_its_sums(shape, dtype):
    given = layer(*shape, dtype)
    x, weight, bias = (array.astype(np.longdouble) for array in given[:3])
    unit = np.finfo(dtype).eps / 2
    bound = (shape[1] + 1) * unit * (np.abs(x) @ np.abs(weight.T) + np.abs(bias))
    scores = few_rows_product(given)
    assert scores.dtype == dtype
    assert (np.abs(scores - (x @ weight.T + bias)) <= bound).all()


def test_any_steps_between_the_weights_of_classes():
    wide = np.random.default_rng(0).standard_normal((9, 40)).astype(np.float32)
    given = layer_of("product", np.ones((1, 13), np.float32), wide[::2, :13], None)
    np.testing.assert_allclose(few_rows_product(given)[0], wide[::2, :13].sum(-1), rtol=1e-5)


def test_nothing_beyond_a_row_takes_part():
    x = np.ones((2, 5), np.float32)
    weight = np.full((3, 8), np.nan, np.float32)
    weight[:, :5] = 2
    np.testing.assert_array_equal(
        few_rows_product(layer_of("product", x, weight[:, :5], None)), np.full((2, 3), 10)
    )


def test_infinities_and_nan_stay_in_their_row_and_class():
    x, weight = np.ones((2, 5), np.float32), np.ones((20, 5), np.float32)
    x[1, 2], weight[3, 4] = np.inf, np.nan
    scores = few_rows_product(layer_of("product", x, weight, None))
    assert np.isnan(scores[:, 3]).all()
    assert (np.delete(scores[0], 3) == 5).all()
    assert np.isposinf(np.delete(scores[1], 3)).all()


def test_the_same_bits_for_any_number_of_threads(threads):
    given = layer(2, 700, 1000)
    together = few_rows_product(given)
    threads(1)
    assert few_rows_product(given).tobytes() == together.tobytes()
