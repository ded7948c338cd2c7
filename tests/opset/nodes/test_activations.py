"""Activation functions as nodes, beside torch, onnxruntime and the text."""

import ml_dtypes
import numpy as np
import onnx
import pytest
import verified

from softops.opset.implementations.choice import is_verified

X = np.float32([-np.inf, -30, -3.5, -1, -0.25, -0.0, 0.0, 0.25, 0.5, 1, 3.5, 30, np.inf])
FINITE = X[1:-1]


def run(op_type, x, opset=14, **attributes):
    return verified.run(op_type, opset, [x], **attributes)[0]


CALLS = [
    ("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.2}),
    ("Elu", {}), ("Elu", {"alpha": 0.5}),
    ("Selu", {}), ("Selu", {"alpha": 1.5, "gamma": 2.0}),
    ("Celu", {}), ("Celu", {"alpha": 0.7}),
    ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 0.3, "beta": 0.1}),
    ("HardSwish", {}), ("Softsign", {}),
    ("ThresholdedRelu", {}), ("ThresholdedRelu", {"alpha": 0.3}),
    ("Shrink", {}), ("Shrink", {"lambd": 0.3, "bias": 0.1}),
    ("Mish", {}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}),
    *((name, {}) for name in ("Tanh", "Erf", "Sign", "Round", "Sinh", "Cosh", "Tan", "Asinh", "Atan")),
]  # fmt: skip
SINCE = {"Mish": 18, "Gelu": 20}


@pytest.mark.parametrize(("op_type", "attributes"), CALLS, ids=str)
def test_as_onnxruntime(op_type, attributes, assert_as_onnxruntime):
    opset = SINCE.get(op_type, 14)
    x = FINITE[1:-1] if op_type in ("Sinh", "Cosh") else FINITE
    assert is_verified(onnx.helper.make_node(op_type, ["x"], ["y"], **attributes), {"": opset})
    assert_as_onnxruntime(op_type, opset, [x], attributes)
    assert_as_onnxruntime(op_type, opset, [x[:8].reshape(2, 2, 2)], attributes)


def test_inverse_functions_as_onnxruntime(assert_as_onnxruntime):
    inside = np.float32([-0.9, -0.5, 0, 0.5, 0.9])
    for op_type, x in (("Acos", inside), ("Asin", inside), ("Atanh", inside), ("Acosh", inside + 2)):
        assert_as_onnxruntime(op_type, 14, [x], {})


TORCH = {
    "LeakyRelu": ("leaky_relu", {"negative_slope": float(np.float32(0.01))}),
    "Elu": ("elu", {}),
    "Celu": ("celu", {"alpha": 1.0}),
    "HardSwish": ("hardswish", {}),
    "Softsign": ("softsign", {}),
    "Gelu": ("gelu", {}),
    "Mish": ("mish", {}),
}


@pytest.mark.parametrize("op_type", TORCH)
def test_as_torch_in_float64(op_type):
    torch = pytest.importorskip("torch")
    name, options = TORCH[op_type]
    x = np.linspace(-9, 9, 301)
    expected = getattr(torch.nn.functional, name)(torch.from_numpy(x), **options)
    opset = {"Celu": 28}.get(op_type, SINCE.get(op_type, 14))
    if opset <= onnx.defs.onnx_opset_version():
        np.testing.assert_allclose(run(op_type, x, opset), expected, rtol=1e-12, atol=1e-15)


def test_the_first_selu_had_shorter_constants():
    y = run("Selu", np.array([1.0, -50.0]), 1)
    np.testing.assert_allclose(y, [1.0507, -1.0507 * 1.6732], rtol=1e-6)
    y = run("Selu", np.array([1.0, -50.0]), 6)
    np.testing.assert_allclose(y, [1.0507009873554805, -1.0507009873554805 * 1.6732632423543772], rtol=1e-7)


def test_a_nan_stays_one():
    for op_type, _ in CALLS:
        assert np.isnan(run(op_type, np.float32([np.nan]), SINCE.get(op_type, 14))).all(), op_type


@pytest.mark.parametrize("bounds", [(-0.5, 2), (None, 0.5), (0.1, None), (None, None), (1, -1)], ids=str)
def test_clip(bounds, assert_as_onnxruntime):
    low, high = bounds
    inputs = [FINITE, *(None if bound is None else np.float32(bound) for bound in bounds)]
    for opset in (11, 12, 13):
        assert_as_onnxruntime("Clip", opset, inputs, {})
    given = {name: float(bound) for name, bound in (("min", low), ("max", high)) if bound is not None}
    if bounds != (1, -1):  # which onnxruntime refuses where they are attributes
        assert_as_onnxruntime("Clip", 6, [FINITE], given)
    y = run("Clip", FINITE, 1, **given)
    lower, upper = (-np.inf if low is None else low), (np.inf if high is None else high)
    np.testing.assert_array_equal(y, np.minimum(np.maximum(FINITE, np.float32(lower)), np.float32(upper)))


def test_clip_of_integers_and_of_what_is_infinite(assert_as_onnxruntime):
    assert_as_onnxruntime("Clip", 13, [np.arange(-5, 6), np.array(-2), np.array(3)], {})
    # From version 6 to 10 the bounds are the furthest numbers of float32 by default.
    assert run("Clip", X[[0, -1]], 6).tolist() == [-np.finfo(np.float32).max, np.finfo(np.float32).max]
    assert run("Clip", X[[0, -1]], 13).tolist() == [-np.inf, np.inf]


def test_infinities():
    x = np.float32([-np.inf, np.inf, np.nan, 1])
    assert run("IsInf", x, 10).tolist() == [True, True, False, False]
    assert run("IsInf", x, 20, detect_negative=0).tolist() == [False, True, False, False]
    assert run("IsInf", x, 10, detect_positive=0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("op_type", ["Gelu", "Mish", "HardSwish", "Elu", "Tanh", "Erf"])
def test_halves_are_rounded_once(op_type, dtype):
    """They are what float64 gives, rounded."""
    x = np.linspace(-9, 9, 301).astype(dtype)
    opset = {"Mish": 22, "Gelu": 20, "HardSwish": 22, "Elu": 22}.get(op_type, 13)
    y, wide = run(op_type, x, opset), run(op_type, x.astype(np.float64), opset)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype(float), wide.astype(dtype).astype(float), rtol=2.0**-8, atol=1e-7)
    assert (y == wide.astype(dtype)).mean() > 0.99


def test_erf_of_integers_is_cut_off():
    np.testing.assert_array_equal(run("Erf", np.int32([-9, -1, 0, 1, 9]), 13), [-1, 0, 0, 0, 1])


def test_tails_are_not_lost():
    """1 + erf(x / sqrt(2)) would be 0 here."""
    mpmath = pytest.importorskip("mpmath")
    x = np.float32([-12.5, -9, -6])
    expected = [float(each * mpmath.ncdf(float(each))) for each in x]
    np.testing.assert_allclose(run("Gelu", x, 20), expected, rtol=5e-7)
