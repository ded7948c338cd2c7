"""Heads with weights in shards of classes, beside the kernels on all weights."""

import dask
import dask.array as da
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays

ROWS, CLASSES, FEATURES = 9, 70, 12
# chunks of rows and shards of classes
WAYS = {
    "whole": (9, 70),
    "rows": (4, 70),
    "shards": (9, 16),
    "both": ((2, 0, 7), (1, 0, 50, 19)),
    "small": (2, 11),
}


@pytest.fixture(params=WAYS)
def head(request):
    """head(dtype) -> (x, weight, bias) of NumPy, and the same in chunks."""

    def make(dtype="float32"):
        random = np.random.default_rng(0)
        shapes = (ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,)
        arrays = [random.normal(size=shape).astype(np.dtype(dtype)) for shape in shapes]
        rows, classes = WAYS[request.param]
        chunks = ((rows, -1), (classes, -1), (classes,))
        return arrays, [da.from_array(each, chunks=own) for each, own in zip(arrays, chunks, strict=True)]

    return make


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["linear_softmax", "linear_log_softmax", "linear_logsumexp"])
def test_probabilities_and_log_sums(name, dtype, head):
    (x, weight, bias), given = head(dtype)
    for options in ({}, {"temperature": 0.7}):
        wanted = getattr(kernels, name)(x, weight, bias, **options)
        result = getattr(dask_arrays, name)(*given, **options)
        assert (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(
            result.compute().astype(float),
            wanted.astype(float),
            rtol={"bfloat16": 2.0**-7, "float32": 2.0**-22, "float64": 2.0**-49}[dtype],
        )
    np.testing.assert_allclose(  # rows of NumPy, and no bias
        getattr(dask_arrays, name)(x, given[1]).compute().astype(float),
        getattr(kernels, name)(x, weight).astype(float),
        rtol=2.0**-7,
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_best_classes(dtype, head):
    """The scores have the same bits, and so have the places, also of halves, which are compared before rounding."""
    (x, weight, bias), given = head(dtype)
    for options in ({"probabilities": False}, {"temperature": 0.6}):
        values, places = dask.compute(*dask_arrays.linear_topk(given[0], given[1], 6, given[2], **options))
        wanted = kernels.linear_topk(x, weight, 6, bias, **options)
        np.testing.assert_array_equal(places, wanted[1])
        np.testing.assert_allclose(values.astype(float), wanted[0].astype(float), rtol=2.0**-7)
        assert values.dtype == wanted[0].dtype
        if not options.get("probabilities", True):
            np.testing.assert_array_equal(values.astype(float), wanted[0].astype(float))


OPTIONS = {
    "plain": {},
    "ignored": {"ignore_index": -1, "softcap": 3.0},
    "smoothed": {"label_smoothing": 0.1, "class_weight": np.linspace(0.5, 2, CLASSES)},
}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS)
def test_losses_and_gradients(options, dtype, head):
    (x, weight, bias), given = head(dtype)
    labels = np.random.default_rng(1).integers(0, CLASSES, ROWS)
    options = dict(OPTIONS[options])
    if "ignore_index" in options:
        labels[[1, 5]] = -1
        x[5] = np.nan  # ignored, whatever it holds
        given[0] = da.from_array(x, chunks=given[0].chunks)
    for reduction in ("mean", "none"):
        options["reduction"] = reduction
        wanted = kernels.linear_cross_entropy_grad(x, weight, labels, bias, return_loss=True, **options)
        lazy = dask_arrays.linear_cross_entropy_grad(
            given[0], given[1], labels, given[2], return_loss=True, recompute=reduction == "none", **options
        )
        loss = dask_arrays.linear_cross_entropy(given[0], given[1], labels, given[2], **options)
        *results, loss = dask.compute(*lazy, loss)
        rtol = {"bfloat16": 2.0**-7, "float32": 2.0**-18, "float64": 2.0**-45}[dtype]
        np.testing.assert_array_equal(loss, results[0])
        for of_dask, result, exact in zip(lazy, results, wanted, strict=True):
            assert (of_dask.shape, of_dask.dtype, result.dtype) == (exact.shape, exact.dtype, exact.dtype)
            np.testing.assert_allclose(
                result.astype(float),
                exact.astype(float),
                rtol=rtol,
                atol=rtol * np.abs(exact.astype(float)).max(),
            )


def test_rows_of_any_rank():
    random = np.random.default_rng(2)
    x, weight = random.normal(size=(2, 3, FEATURES)), random.normal(size=(CLASSES, FEATURES))
    labels = random.integers(0, CLASSES, (2, 3))
    given = da.from_array(x, chunks=(1, 2, -1)), da.from_array(weight, chunks=(20, -1))
    for result, wanted in zip(
        dask_arrays.linear_cross_entropy_grad(*given, labels),
        kernels.linear_cross_entropy_grad(x, weight, labels),
        strict=True,
    ):
        np.testing.assert_allclose(result.compute(), wanted, rtol=1e-12, atol=1e-15)
    one = dask_arrays.linear_softmax(x[0, 0], given[1]).compute()
    np.testing.assert_allclose(one, kernels.linear_softmax(x[0, 0], weight), rtol=1e-14)


def test_refusals():
    x, weight = da.ones((4, 6), chunks=2, dtype=np.float32), da.ones((10, 6), chunks=(5, 6), dtype=np.float32)
    whole = x.rechunk((2, 6))
    for call, error, text in (
        (
            lambda: dask_arrays.linear_softmax(x, weight),
            ValueError,
            r"all features of x .*x.rechunk\(\{1: -1\}\)",
        ),
        (
            lambda: dask_arrays.linear_softmax(whole, weight.rechunk(5)[:, :6].rechunk((5, 3))),
            ValueError,
            "features of weight",
        ),
        (lambda: dask_arrays.linear_softmax(whole, weight.T), ValueError, r"passed as weight.T"),
        (lambda: dask_arrays.linear_softmax(whole, weight.astype(np.float64)), TypeError, "both in float64"),
        (
            lambda: dask_arrays.linear_softmax(whole, np.ones((10, 6))),
            TypeError,
            "takes a dask array as weight",
        ),
        (
            lambda: dask_arrays.linear_softmax(whole, weight, np.ones(9, np.float32)),
            ValueError,
            r"shape \(10,\)",
        ),
        (lambda: dask_arrays.linear_softmax(whole, weight, np.ones(10)), TypeError, "float64 bias"),
        (lambda: dask_arrays.linear_topk(whole, weight, 11), ValueError, "0 to 10"),
        (
            lambda: dask_arrays.linear_topk(whole, weight, 1, probabilities=False, temperature=2),
            ValueError,
            "probabilities alone",
        ),
        (lambda: dask_arrays.linear_cross_entropy(whole, weight, np.zeros(4)), TypeError, "integer labels"),
        (
            lambda: dask_arrays.linear_cross_entropy(whole, weight, np.zeros(4, int), softcap=-1),
            ValueError,
            "softcap",
        ),
    ):
        with pytest.raises(error, match=text):
            call()
