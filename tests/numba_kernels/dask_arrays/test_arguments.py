"""What is refused, before anything is computed where that can be told, and what is known of a lazy result."""

import inspect
import re

import dask
import dask.array as da
import numpy as np
import pytest

from softops import numba_kernels as kernels
from softops.numba_kernels import dask_arrays

OF_SCORES = [
    "softmax",
    "log_softmax",
    "logsumexp",
    "hardmax",
    "topk",
    "sample",
    "cross_entropy",
    "cross_entropy_grad",
]


def call(name, x):
    """A function of that name on (rows, classes)."""
    labels = np.zeros(x.shape[0] if x.ndim and x.shape[0] == x.shape[0] else 1, np.int64)
    more = {"topk": (1,), "cross_entropy": (labels,), "cross_entropy_grad": (labels,)}.get(name, ())
    return getattr(dask_arrays, name)(x, *more)


of_scores = pytest.mark.parametrize("name", OF_SCORES)


def never(block):
    message = "computed"
    raise AssertionError(message)


@of_scores
def test_nothing_is_computed_before_it_is_asked_for(name):
    x = da.ones((4, 6), chunks=(2, 2), dtype=np.float32).map_blocks(
        never, dtype=np.float32, meta=np.empty((0, 0), np.float32)
    )
    results = call(name, x)
    for result in results if isinstance(results, tuple) else (results,):
        assert isinstance(result, da.Array)
        assert type(result._meta) is np.ndarray
        assert result._meta.dtype == result.dtype
        assert not np.isnan(sum(map(sum, result.chunks)))
    with pytest.raises(AssertionError, match="computed"):
        dask.compute(results)


@of_scores
def test_shapes_dtypes_and_blocks_are_as_promised(name):
    x = da.random.default_rng(0).normal(size=(5, 7), chunks=(2, 3)).astype(np.float32)
    results = call(name, x)
    for result in results if isinstance(results, tuple) else (results,):
        value = result.compute()
        assert (result.shape, result.dtype) == (np.shape(value), value.dtype)
        for index in np.ndindex(result.numblocks):
            block = result.blocks[index] if index else result
            assert block.shape == np.shape(block.compute())


@of_scores
def test_unknown_chunk_sizes(name):
    x = da.ones((4, 6), chunks=2, dtype=np.float32)
    x = x[x[:, 0] > 0]
    with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)"):
        getattr(dask_arrays, name)(x, *([np.zeros(4, int)] if "entropy" in name else [1] * (name == "topk")))
    x.compute_chunk_sizes()
    dask.compute(call(name, x))


@of_scores
def test_wrong_dtypes(name):
    for dtype in (np.int64, np.complex64, np.longdouble, bool):
        with pytest.raises(TypeError, match=rf"{name} takes float16, bfloat16, float32 or float64 \(got"):
            call(name, da.ones((4, 6), chunks=2, dtype=dtype))


@of_scores
def test_no_dask_array(name):
    with pytest.raises(TypeError, match=rf"{name} takes a dask array .*from_array"):
        call(name, np.ones((4, 6), np.float32))


@of_scores
def test_masked_chunks(name):
    """At once where Dask knows of the mask; where a chunk turns out to have one, in its task."""
    x = da.ones((4, 6), chunks=(2, 3), dtype=np.float32)
    with pytest.raises(TypeError, match=r"without a mask"):
        call(name, da.ma.masked_greater(x, 2))

    def with_mask(block):
        return np.ma.masked_greater(block, 0.5)

    hidden = x.map_blocks(with_mask, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    with pytest.raises(TypeError, match=r"without a mask"):
        dask.compute(call(name, hidden))


def test_masked_chunks_of_a_mask():
    x = da.ones((4, 6), chunks=(2, 3), dtype=np.float32)
    where = (x > 0).map_blocks(np.ma.masked_equal, False, dtype=bool, meta=np.empty((0, 0), bool))
    for name in ("softmax", "logsumexp", "sample"):
        with pytest.raises(TypeError, match="masked array as where"):
            getattr(dask_arrays, name)(x, where=where).compute()


def test_chunks_of_other_libraries():
    sparse = pytest.importorskip("sparse")
    x = da.ones((4, 6), chunks=2, dtype=np.float32).map_blocks(sparse.COO)
    with pytest.raises(TypeError, match="NumPy chunks"):
        dask_arrays.softmax(x)


def test_options_out_of_range():
    x = da.ones((4, 6), chunks=2, dtype=np.float32)
    for call_, error, text in (
        (lambda: dask_arrays.softmax(x, 2), np.exceptions.AxisError, "out of bounds"),
        (lambda: dask_arrays.softmax(x, (0, 0)), ValueError, "repeated"),
        (lambda: dask_arrays.softmax(x, temperature=0), ValueError, "temperature"),
        (lambda: dask_arrays.softmax(x, where=np.ones((4, 6))), TypeError, "where of bool"),
        (lambda: dask_arrays.softmax(x, where=da.ones(5, dtype=bool)), ValueError, "broadcasts"),
        (lambda: dask_arrays.softmax(x, where=np.ma.masked_all((4, 6), bool)), TypeError, "mask"),
        (lambda: dask_arrays.logsumexp(x, b=np.ones(6, complex)), TypeError, "real weights"),
        (lambda: dask_arrays.logsumexp(x, b=np.ones(5)), ValueError, "broadcasts"),
        (lambda: dask_arrays.topk(x, 7), ValueError, "0 to 6"),
        (lambda: dask_arrays.topk(x, 2, temperature=2.0), ValueError, "probabilities alone"),
        (lambda: dask_arrays.topk(da.from_array(np.float32(1)), 1), ValueError, "scalar"),
        (lambda: dask_arrays.sample(x, -1), ValueError, "num_samples"),
        (lambda: dask_arrays.sample(x, top_p=0.5), ValueError, r"one chunk .*rechunk\(\{axis: -1\}\)"),
        (lambda: dask_arrays.sample(x, seed=-1), ValueError, "seed"),
        (lambda: dask_arrays.sample(x, seed=np.arange(3)), ValueError, r"shape \(4,\)"),
        (lambda: dask_arrays.cross_entropy(x, np.zeros(3, int)), ValueError, r"shape \(4,\)"),
        (
            lambda: dask_arrays.cross_entropy(x, np.zeros((4, 6))),
            TypeError,
            "probabilities of the shape and dtype",
        ),
        (lambda: dask_arrays.cross_entropy(x, np.zeros(4, int), reduction="all"), ValueError, "reduction"),
        (lambda: dask_arrays.cross_entropy(x, np.zeros(4, int), weight=[1.0]), ValueError, "6 float weights"),
        (lambda: dask_arrays.cross_entropy(x, np.zeros(4, int), label_smoothing=2), ValueError, "0 to 1"),
        (
            lambda: dask_arrays.cross_entropy_grad(x, np.zeros(4, int), dy=np.ones(4)),
            ValueError,
            "dy of shape",
        ),
    ):
        with pytest.raises(error, match=text):
            call_()


def test_labels_out_of_range_are_refused_in_their_task():
    x = da.ones((4, 6), chunks=2, dtype=np.float32)
    for labels in ([0, 1, 2, 6], [0, -1, 2, 3]):
        with pytest.raises(ValueError, match=r"labels from 0 to 5"):
            dask_arrays.cross_entropy(x, np.array(labels)).compute()


def test_what_is_public_is_documented():
    """Every parameter has its word, every function its sections; and stands for one of NumPy's with its defaults."""
    for name in dask_arrays.__all__:
        function, of_arrays = getattr(dask_arrays, name), getattr(kernels, name)
        text = inspect.getdoc(function) or ""
        own, theirs = (inspect.signature(each).parameters for each in (function, of_arrays))
        assert set(own) <= set(re.findall(r"\w+", text)), name
        assert all(
            f"\n{s}\n{'-' * len(s)}\n" in text for s in ("Parameters", "Returns", "Raises", "Notes")
        ), name
        for parameter in set(theirs) - {"out"}:
            assert own[parameter].default == theirs[parameter].default, (name, parameter)
            assert own[parameter].kind == theirs[parameter].kind, (name, parameter)


def test_without_dask_the_extra_is_named(run_python):
    code = """
import sys
sys.modules["dask"] = sys.modules["dask.array"] = None
import softops.numba_kernels
assert "softops.numba_kernels.dask_arrays" not in sys.modules
try:
    import softops.numba_kernels.dask_arrays
except ImportError as error:
    print(error)
"""
    assert "pip install 'softops[dask]'" in run_python(code)


def test_kernels_do_not_import_dask(run_python):
    assert run_python("import sys, softops.numba_kernels; print('dask' in sys.modules)") == "False"
