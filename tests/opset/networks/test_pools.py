"""Pools of every rank and option beside torch, onnxruntime and the formula."""

import itertools

import ml_dtypes
import numpy as np
import pytest
import verified

from softops.opset import ModelError

RANDOM = np.random.default_rng(5)
LENGTHS = {1: (11,), 2: (9, 8), 3: (6, 5, 7)}
WINDOWS = [
    {},
    {"strides": 2},
    {"strides": 3, "pads": 1},
    {"strides": 2, "pads": 1, "ceil_mode": 1},
    {"strides": 3, "pads": 1, "ceil_mode": 1},
    {"strides": 2, "ceil_mode": 1},
]


def image(rank, dtype=np.float32):
    return RANDOM.standard_normal((2, 3, *LENGTHS[rank])).astype(dtype)


def run(op_type, x, opset=22, outputs=1, **attributes):
    return verified.run(op_type, opset, [x], outputs, **attributes)


def of_rank(rank, window):
    """The attributes of ONNX for one number for all dimensions."""
    given = {"kernel_shape": [3] * rank}
    for name, value in window.items():
        given[name] = {"pads": [value] * 2 * rank, "ceil_mode": value}.get(name, [value] * rank)
    return given


def of_torch(window):
    return {"kernel_size": 3, "stride": window.get("strides", 1), "padding": window.get("pads", 0)} | {
        "ceil_mode": bool(window.get("ceil_mode", 0))
    }


@pytest.mark.parametrize("rank", LENGTHS)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_pools_as_torch(rank, window):
    torch = pytest.importorskip("torch")
    functional, given = torch.nn.functional, of_rank(rank, window)
    for dtype in (np.float32, np.float64):
        x = image(rank, dtype)
        tensor = torch.from_numpy(x)
        for dilation in (1, 2):
            options = {**of_torch(window), "dilation": dilation, "return_indices": True}
            y, places = getattr(functional, f"max_pool{rank}d")(tensor, **options)
            largest, indices = run("MaxPool", x, outputs=2, **given, dilations=[dilation] * rank)
            np.testing.assert_array_equal(largest, y)
            images = np.arange(6).reshape(2, 3, *[1] * rank) * np.prod(LENGTHS[rank])
            np.testing.assert_array_equal(indices - images, places)
            assert (largest.dtype, indices.dtype) == (dtype, np.int64)
            (alone,) = run("MaxPool", x, **given, dilations=[dilation] * rank)
            np.testing.assert_array_equal(alone, largest)
        for counted in (False, True):
            options = {**of_torch(window), "count_include_pad": counted}
            y = getattr(functional, f"avg_pool{rank}d")(tensor, **options)
            (mean,) = run("AveragePool", x, **given, count_include_pad=int(counted))
            np.testing.assert_allclose(mean, y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rank", LENGTHS)
def test_norms_under_a_window(rank, onnxruntime_of):
    x = image(rank)
    for window, p in itertools.product(WINDOWS[:3], (1, 2, 3)):
        given = {**of_rank(rank, window), "p": p}
        (y,) = run("LpPool", x, **given)
        (theirs,) = onnxruntime_of("LpPool", 18, [x], given)
        np.testing.assert_allclose(y, theirs, rtol=2e-6)
    # Σ|x|^p is the mean times the number of what is under the kernel, pads of 0 among them.
    for window, p, dilation in itertools.product(WINDOWS, (1, 2, 3, 5), (1, 2)):
        given = {**of_rank(rank, window), "dilations": [dilation] * rank}
        powers = np.abs(x.astype(np.float64)) ** p
        (means,) = run("AveragePool", powers, **given, count_include_pad=1)
        if not window.get("ceil_mode"):
            expected = (means * 3**rank) ** (1 / p)
            np.testing.assert_allclose(run("LpPool", x, **given, p=p)[0], expected, rtol=1e-6)


def test_indices_in_column_major_order(onnxruntime_of):
    for rank in (2, 3):
        given = {"kernel_shape": [2] * rank, "strides": [2] * rank, "storage_order": 1}
        x = image(rank)
        ours = run("MaxPool", x, opset=12, outputs=2, **given)
        theirs = onnxruntime_of("MaxPool", 12, [x], given, outputs=2)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "shape", [(2, 3), (2, 3, 7), (1, 2, 4, 5), (2, 2, 3, 2, 4), (1, 2, 2, 3, 2, 3)], ids=str
)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64], ids=str)
def test_pools_over_the_whole_image(shape, dtype):
    x = RANDOM.standard_normal(shape).astype(dtype)
    axes = tuple(range(2, x.ndim))
    wide = x.astype(np.longdouble)
    epsilon = float(ml_dtypes.finfo(dtype).eps)
    atol = 8 * epsilon if dtype == np.float64 else 0  # others are summed in more than their own precision
    for opset in (1, 2, 22):
        expected = {
            "GlobalMaxPool": [({}, wide.max(axes, keepdims=True))],
            "GlobalAveragePool": [({}, wide.mean(axes, keepdims=True))],
            "GlobalLpPool": [
                (
                    {"p": float(p) if opset == 1 else p},
                    (np.abs(wide) ** p).sum(axes, keepdims=True) ** (1 / p),
                )
                for p in (1, 2, 3)
            ],
        }
        for op_type, calls in expected.items():
            for attributes, exact in calls:
                (y,) = run(op_type, x, opset=opset, **attributes)
                assert (y.dtype, y.shape) == (x.dtype, exact.shape)
                np.testing.assert_allclose(y.astype(np.float64), exact.astype(np.float64), epsilon, atol)


def test_norms_of_what_has_no_square():
    x = np.array([[[1e30, 1e30, 0]], [[1e-30, 1e-30, 0]], [[0, 0, 0]]], np.float32)
    (y,) = run("GlobalLpPool", x, p=2)
    np.testing.assert_allclose(y.ravel(), np.sqrt(2) * np.array([1e30, 1e-30, 0]), rtol=1e-7)
    (y,) = run("GlobalLpPool", 1e270 * x.astype(np.float64), p=2)
    np.testing.assert_allclose(y.ravel()[0], np.sqrt(2) * 1e300, rtol=1e-7)
    (y,) = run("LpPool", x, kernel_shape=[2], p=2)
    np.testing.assert_allclose(y[:, 0, 0], np.sqrt(2) * np.array([1e30, 1e-30, 0]), rtol=1e-7)


def test_norms_of_infinities_and_nan():
    x = np.array([[[np.inf, 1, 0]], [[-np.inf, np.inf, 2]], [[np.nan, np.inf, 0]]], np.float32)
    (y,) = run("GlobalLpPool", x, p=2)
    np.testing.assert_array_equal(y.ravel(), [np.inf, np.inf, np.nan])


def test_a_kernel_of_another_rank_is_refused():
    with pytest.raises(ModelError, match="a kernel of rank 1 does not move over an image of spatial rank 2"):
        run("MaxPool", image(2), kernel_shape=[2])


def test_a_kernel_larger_than_the_image_is_refused():
    with pytest.raises(ModelError, match="is larger than what it moves over"):
        run("AveragePool", image(1), kernel_shape=[12])
