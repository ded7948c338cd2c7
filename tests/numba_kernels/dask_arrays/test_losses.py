"""cross_entropy and its gradient of arrays in chunks, beside the kernels on the whole array."""

import dask.array as da
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays

DTYPES = [np.dtype(name) for name in ("bfloat16", "float32", "float64")]
EPS = {"bfloat16": 2.0**-8, "float32": 2.0**-23, "float64": 2.0**-50}
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)


@pytest.fixture(scope="module", params=["labels", "weights", "smoothed", "probabilities"])
def targets(request):
    """targets(x): labels or probabilities, and options."""

    def make(x):
        random = np.random.default_rng(5)
        labels = random.integers(0, 50, (4, 3))
        labels[0, 1] = -100
        options = {"ignore_index": -100}
        weight = random.random(50) + 0.1
        weight[7], labels[3, 2] = 0, 7
        if request.param in ("weights", "smoothed"):
            options["weight"] = weight
        if request.param == "smoothed":
            options["label_smoothing"] = 0.1
        if request.param == "probabilities":
            p = kernels.softmax((random.normal(size=x.shape) * 3).astype(x.dtype), 1)
            p[0, :49] = 0
            return p, {"label_smoothing": 0.0, "weight": weight}
        return labels, options

    return make


@dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss(reduction, dtype, chunked, scores, targets):
    x = scores(dtype)
    right, options = targets(x)
    result = dask_arrays.cross_entropy(chunked(x), right, reduction=reduction, **options)
    wanted = kernels.cross_entropy(x, right, reduction=reduction, **options)
    value = result.compute()
    assert (result.shape, result.dtype, value.dtype) == (wanted.shape, wanted.dtype, wanted.dtype)
    np.testing.assert_allclose(value.astype(float), wanted.astype(float), rtol=2 * EPS[dtype.name], atol=0)


@dtypes
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_gradient(reduction, dtype, chunked, scores, targets):
    x = scores(dtype)
    right, options = targets(x)
    dy = np.random.default_rng(6).normal(size=(4, 3)) if reduction == "none" else 2.5
    for given in (dy, da.from_array(dy)):
        result = dask_arrays.cross_entropy_grad(
            chunked(x), right, reduction=reduction, dy=given, recompute=given is not dy, **options
        )
        wanted = kernels.cross_entropy_grad(x, right, reduction=reduction, dy=dy, **options).astype(float)
        # of spread targets the two terms may cancel
        cancels = 0 if right.ndim == 2 and "label_smoothing" not in options else np.abs(dy).max()
        value = result.compute()
        assert (result.shape, result.dtype, value.dtype) == (x.shape, dtype, dtype)
        np.testing.assert_allclose(
            value.astype(float), wanted, rtol=4 * EPS[dtype.name], atol=4 * EPS[dtype.name] * cancels
        )


@dtypes
def test_special_values(dtype, chunked, special, targets):
    x = special(dtype)
    right, options = targets(x)
    for name in ("cross_entropy", "cross_entropy_grad"):
        with np.errstate(invalid="ignore"):
            result = getattr(dask_arrays, name)(chunked(x), right, reduction="none", **options).compute()
            wanted = getattr(kernels, name)(x, right, reduction="none", **options)
        np.testing.assert_allclose(
            result.astype(float), wanted.astype(float), rtol=4 * EPS[dtype.name], atol=EPS[dtype.name]
        )


@pytest.mark.parametrize("where", [5, 45])
def test_a_label_that_is_all_but_certain(where, chunked):
    """The loss and 1 − p keep their relative precision, whichever chunk the label is in; of probabilities too."""
    x = np.full((4, 50, 3), -40.0)
    x[:, where] = 0
    labels = np.full((4, 3), where)
    one_hot = np.zeros(x.shape)
    one_hot[:, where] = 1
    for right in (labels, one_hot):
        loss = dask_arrays.cross_entropy(chunked(x), right, reduction="none").compute()
        np.testing.assert_allclose(loss, np.log1p(49 * np.exp(-40.0)), rtol=1e-14)
    slopes = dask_arrays.cross_entropy_grad(chunked(x), labels, reduction="sum").compute()
    np.testing.assert_allclose(slopes[:, where], -49 * np.exp(-40.0), rtol=1e-14)


def test_log_probabilities_and_a_divisor(chunked, scores):
    x, labels = scores(np.float32), np.zeros((4, 3), np.int32)
    loss, log_p = dask_arrays.cross_entropy(
        chunked(x), da.from_array(labels), divisor=7, return_log_prob=True
    )
    wanted = kernels.cross_entropy(x, labels, divisor=7, return_log_prob=True)
    np.testing.assert_allclose(loss.compute(), wanted[0], rtol=1e-6)
    np.testing.assert_allclose(log_p.compute(), wanted[1], rtol=1e-6)


def test_of_one_row_and_of_none():
    one = da.from_array(np.arange(6.0), chunks=2)
    wanted = kernels.cross_entropy(np.arange(6.0), np.int64(2), axis=-1)
    for reduction in ("mean", "sum", "none"):
        result = dask_arrays.cross_entropy(one, np.int64(2), axis=-1, reduction=reduction).compute()
        np.testing.assert_allclose(result, wanted, rtol=1e-15)
    none = da.zeros((0, 6), chunks=(2, 2))
    assert np.isnan(dask_arrays.cross_entropy(none, np.zeros(0, int)).compute())
    assert dask_arrays.cross_entropy_grad(none, np.zeros(0, int)).compute().shape == (0, 6)
