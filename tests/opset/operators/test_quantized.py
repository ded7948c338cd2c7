"""QLinearSoftmax and QLinearSigmoid, against onnxruntime and by their definition."""

import numpy as np
import pytest

from softops.opset import operator

CONTRIB = "com.microsoft"
SOFTMAX, SIGMOID = (operator(name, 1, CONTRIB) for name in ("QLinearSoftmax", "QLinearSigmoid"))
EVERY = np.arange(256, dtype=np.uint8)


def quantization(dtype, x_scale, y_scale, x_zero, y_zero):
    """Inputs 1 to 4."""
    scales = np.array(x_scale, np.float32), np.array(y_scale, np.float32)
    x_zero = None if x_zero is None else np.array(x_zero, dtype)
    return [scales[0], x_zero, scales[1], np.array(y_zero, dtype)]


@pytest.mark.parametrize(("dtype", "y_zero"), [(np.uint8, 0), (np.int8, -128), (np.uint8, 3)])
@pytest.mark.parametrize("opset", [12, 13])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_is_that_of_onnxruntime(onnxruntime_of, dtype, y_zero, opset, axis):
    random = np.random.default_rng(axis + opset)
    x = random.integers(0, 256, (3, 4, 5), np.uint8).view(dtype)
    inputs = [x, *quantization(dtype, 0.05, 1 / 256, 100, y_zero)]
    attributes = {"axis": axis, "opset": opset}
    (expected,) = onnxruntime_of("QLinearSoftmax", 1, inputs, attributes, domain=CONTRIB)
    (ours,), (exact,) = SOFTMAX.run(inputs, attributes), SOFTMAX.evaluate(inputs, attributes)
    assert ours.dtype == exact.dtype == expected.dtype == dtype
    np.testing.assert_array_equal(ours, exact)
    # onnxruntime rounds in float32, from a table of float32 exponentials.
    assert np.abs(exact.astype(int) - expected.astype(int)).max() <= 1
    assert (exact == expected).mean() > 0.9


def test_softmax_goes_by_its_own_opset():
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 4), np.uint8)
    inputs = [x, *quantization(np.uint8, 0.02, 1 / 256, None, 0)]
    flat, single = (SOFTMAX.run(inputs, {"axis": 1, "opset": opset})[0] for opset in (12, 13))
    assert (flat != single).any()
    (whole,) = SOFTMAX.run([x.reshape(2, 12), *inputs[1:]], {"opset": 13})
    np.testing.assert_array_equal(flat, whole.reshape(x.shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize(("x_zero", "y_zero"), [(None, 0), (17, 5)])
def test_sigmoid_is_that_of_onnxruntime(onnxruntime_of, dtype, x_zero, y_zero):
    inputs = [EVERY.view(dtype).reshape(4, 64), *quantization(dtype, 0.06, 1 / 200, x_zero, y_zero)]
    (expected,) = onnxruntime_of("QLinearSigmoid", 1, inputs, domain=CONTRIB)
    (ours,), (exact,) = SIGMOID.run(inputs), SIGMOID.evaluate(inputs)
    assert ours.dtype == exact.dtype == expected.dtype == dtype
    np.testing.assert_array_equal(ours, exact)
    assert np.abs(exact.astype(int) - expected.astype(int)).max() <= 1
    assert (exact == expected).mean() > 0.9


def test_unrounded_is_the_quantized_value_before_rounding():
    inputs = [EVERY, *quantization(np.uint8, 1 / 16, 1 / 256, 128, 1)]
    (unrounded,) = SIGMOID.evaluate(inputs, rounded=False)
    assert unrounded.dtype == np.longdouble
    x = (np.arange(256) - 128) / 16
    np.testing.assert_allclose(unrounded, 256 / (1 + np.exp(-x)) + 1, rtol=1e-14)


def test_ties_go_to_even_before_the_zero_point():
    for zero in (0, 1, 2):
        inputs = [np.uint8([9]), *quantization(np.uint8, 1, 1, 9, zero)]  # sigmoid(0) / 1 is half a step
        for method in (SIGMOID.run, SIGMOID.evaluate):
            assert method(inputs)[0].tolist() == [zero]


def test_a_scale_for_each_channel_is_refused():
    inputs = [EVERY, np.float32([1, 2]), None, np.float32([1]), None]
    for method in (SIGMOID.run, SIGMOID.evaluate):
        with pytest.raises(ValueError, match=r"one number as X_scale \(got shape \(2,\)\)"):
            method(inputs)


def test_the_opset_has_to_be_named():
    inputs = [EVERY, *quantization(np.uint8, 1, 1, 0, 0)]
    with pytest.raises(ValueError, match="needs the attribute opset"):
        SOFTMAX.run(inputs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("x_scale", [0.1, -0.1, np.inf, np.nan])
@pytest.mark.parametrize("y_scale", [0, -0.01, 1 / 256, np.inf, np.nan, 1e-30])
def test_scales_that_are_none(dtype, x_scale, y_scale, onnxruntime_of):
    """Without a warning, within range, and where something is no number the lowest, as in onnxruntime's sigmoid."""
    x = EVERY.view(dtype).reshape(16, 16)
    inputs = [x, *quantization(dtype, x_scale, y_scale, 7, 3)]
    for row, attributes in ((SIGMOID, {}), (SOFTMAX, {"opset": 13})):
        (ours,), (exact,) = row.run(inputs, attributes), row.evaluate(inputs, attributes)
        assert ours.dtype == exact.dtype == dtype
        if y_scale or row is SIGMOID:  # 0 / 0: a probability below float64 is not 0 in extended precision
            np.testing.assert_array_equal(ours, exact)
    if np.isnan(x_scale) or np.isnan(y_scale):
        assert (SIGMOID.run(inputs)[0] == np.iinfo(dtype).min).all()
    if abs(y_scale) < 1e-3:
        return  # onnxruntime's sigmoid is 0 where it is below float32
    (expected,) = onnxruntime_of("QLinearSigmoid", 1, inputs, domain=CONTRIB)
    assert np.abs(SIGMOID.run(inputs)[0].astype(int) - expected.astype(int)).max() <= 1
