"""Which row holds for a model, and what a row takes and gives."""

import dataclasses
import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest

from softops.opset import UnknownOperatorError, UnknownOpsetError, operator, operators, reference

NEWEST = onnx.defs.onnx_opset_version()
X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
LABELS = np.array([2, 0])


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax", "Sigmoid"])
@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_operator_is_the_version_onnx_takes(op_type, domain):
    for opset in range(1, NEWEST + 1):
        row = operator(op_type, opset, domain)
        assert row.since_version == onnx.defs.get_schema(op_type, opset, "").since_version


def test_other_domains_have_versions_of_their_own():
    newest = max(s.since_version for s in onnx.defs.get_all_schemas() if s.domain == "ai.onnx.ml")
    for opset in range(1, newest + 1):
        assert operator("LinearClassifier", opset, "ai.onnx.ml").since_version == 1
    for opset in (0, newest + 1):
        with pytest.raises(UnknownOpsetError, match=rf"opset from 1 to {newest}"):
            operator("Normalizer", opset, "ai.onnx.ml")
    assert operator("QLinearSoftmax", 1, "com.microsoft").domain == "com.microsoft"
    with pytest.raises(UnknownOperatorError, match="LinearClassifier, Normalizer"):
        operator("Softmax", 1, "ai.onnx.ml")


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("softops.opset", {"numba", "mpmath", "onnx.reference", "onnx.backend"}),
        ("softops.opset.backend", {"numba", "mpmath"}),
    ],
)
def test_importing_needs_neither_compiler_nor_evaluator(package, heavy):
    code = f"import sys, {package}; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_rows_can_be_keys():
    assert {row: row.name for row in operators()}[operator("Softmax", 12)] == "Softmax-11"


def test_rows_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        operators()[0].default_axis = 0


@pytest.mark.parametrize("opset", [0, -1, NEWEST + 1, 10**6])
def test_unknown_opset(opset):
    with pytest.raises(UnknownOpsetError, match=rf"opset from 1 to {NEWEST}.*got {opset}"):
        operator("Softmax", opset)


@pytest.mark.parametrize(
    ("op_type", "opset", "message"),
    [
        ("Softmax", "13", r"opset as an integer \(got '13'\)"),
        (None, 13, r"expected one of Softmax, .* \(got None\)"),
    ],
)
def test_neither_text_nor_integer(op_type, opset, message):
    for function in (operator, lambda op_type, opset: reference.evaluate(op_type, [X], opset)):
        with pytest.raises((TypeError, UnknownOperatorError), match=message):
            function(op_type, opset)


def test_opset_is_an_integer():
    with pytest.raises(TypeError):
        operator("Softmax", 13.0)
    assert operator("Softmax", np.int64(12)).since_version == 11


@pytest.mark.parametrize(
    ("name", "domain", "hint"),
    [
        ("SoftMax", "", "did you mean Softmax"),
        ("Gemm", "", "Softmax, LogSoftmax"),
        ("Softmax", "x.y", "ai.onnx"),
    ],
)
def test_unknown_operator(name, domain, hint):
    with pytest.raises(UnknownOperatorError, match=hint) as caught:
        operator(name, 13, domain)
    assert isinstance(caught.value, LookupError)


ONE_ARRAY = ("Softmax", "LogSoftmax", "Hardmax", "Sigmoid", "Softplus", "ReduceLogSumExp")


@pytest.mark.parametrize("row", [r for r in operators() if r.op_type in ONE_ARRAY], ids=lambda row: row.name)
def test_compute_keeps_the_dtype_and_is_close_to_exact(row):
    x = np.random.default_rng(0).uniform(0, 9, (3, 4))
    for name in row.dtypes:
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        given = x.astype(dtype)
        computed, exact = row.compute(given), row.exact(given)
        (rounded,) = row.evaluate([given])
        assert computed.dtype == rounded.dtype == dtype
        assert exact.dtype == np.longdouble
        if dtype.kind in "iu":
            np.testing.assert_array_equal(computed, np.trunc(exact))
            np.testing.assert_array_equal(computed, rounded)
        else:
            # Rounding alone costs half an eps; the kernels' own error is tested where they are.
            tolerance = 4 * float(ml_dtypes.finfo(dtype).eps)
            np.testing.assert_allclose(computed.astype(np.longdouble), exact, rtol=tolerance)


def test_halves_are_computed_in_float32():
    # Each of 4096 equal logits has 2^-12, which a sum in float16 or bfloat16 cannot count up to.
    for dtype in (np.float16, ml_dtypes.bfloat16):
        y = operator("Softmax", 13).compute(np.zeros((1, 4096), dtype))
        assert (y == 2.0**-12).all()


def test_log_probability_below_float16_is_minus_infinity():
    x = np.float16([[60000.0, -60000.0]])
    assert operator("LogSoftmax", 13).compute(x).tolist() == [[0.0, -np.inf]]


@pytest.mark.parametrize(("op_type", "opset"), [("Softmax", 13), ("Sigmoid", 6)])
def test_dtype_that_onnx_does_not_allow(op_type, opset):
    row = operator(op_type, opset)
    with pytest.raises(TypeError, match=rf"{row.name} takes .*float32.*got int64.*astype"):
        row.compute(np.arange(3))
    with pytest.raises(TypeError, match="got int64"):
        row.exact(np.arange(3))


@pytest.mark.parametrize("row", operators(), ids=lambda row: row.name)
def test_what_is_said_of_a_wrong_dtype_is_one_that_the_row_takes(row):
    inputs = [np.zeros((1, 1), np.complex64)] * sum(not parameter.optional for parameter in row.inputs)
    values = {"int": 1, "floats": [1.0]}
    attributes = {name: values[known.type] for name, known in row.attributes.items() if known.required}
    with pytest.raises(TypeError, match="got complex64") as caught:
        row.run(inputs, attributes)
    (name,) = re.findall(r"x\.astype\(np\.(\w+)\)", str(caught.value))
    assert hasattr(np, name)
    takes = row.types.get(row.inputs[0].type, (row.inputs[0].type,))
    assert name in takes
    assert name == "float32" or "float32" not in takes


def test_bfloat16_came_with_opset_13():
    x = np.zeros((1, 2), ml_dtypes.bfloat16)
    assert operator("Softmax", 13).compute(x).tolist() == [[0.5, 0.5]]
    with pytest.raises(TypeError, match="Softmax-11 takes float16, float32 or float64"):
        operator("Softmax", 12).compute(x)


@pytest.mark.parametrize(
    ("inputs", "attributes", "options", "message"),
    [
        ([], None, {}, "needs its input scores"),
        ([X, None], None, {}, "needs its input labels"),
        ([X, LABELS, None, X], None, {}, r"at most 3 inputs, scores, labels, weights \(got 4\)"),
        ([X, LABELS], {"axis": 1}, {}, r"attributes but ignore_index, reduction \(got axis\)"),
        ([X, LABELS], None, {"outputs": 3}, r"2 outputs \(got outputs=3\)"),
        ([X, LABELS], None, {"outputs": 0}, r"2 outputs \(got outputs=0\)"),
        ([X, LABELS, X[0].astype(np.float64)], None, {}, r"weights of the dtype .* float32 \(got float64\)"),
        ([X, LABELS.astype(np.uint8)], None, {}, r"int32 or int64 as labels \(got uint8\)"),
    ],
)
def test_what_a_row_refuses(inputs, attributes, options, message):
    row = operator("SoftmaxCrossEntropyLoss", 13)
    for method in (row.run, row.evaluate):
        with pytest.raises((TypeError, ValueError), match=message):
            method(inputs, attributes, **options)


def test_strings_may_be_bytes_as_onnx_keeps_them():
    row = operator("SoftmaxCrossEntropyLoss", 13)
    (given,) = row.run([X, LABELS], {"reduction": b"none"})
    (expected,) = row.run([X, LABELS], {"reduction": "none"})
    np.testing.assert_array_equal(given, expected)


def test_an_attribute_of_none_is_one_left_out():
    row = operator("Softmax", 13)
    np.testing.assert_array_equal(row.run([X], {"axis": None})[0], row.run([X])[0])


def test_as_many_outputs_as_asked_for():
    row = operator("SoftmaxCrossEntropyLoss", 13)
    for method in (row.run, row.evaluate):
        assert len(method([X, LABELS])) == 1
        loss, log_prob = method([X, LABELS], outputs=2)
        assert loss.shape == ()
        assert log_prob.shape == X.shape


def test_backend_and_oracle_need_no_import_of_their_own():
    script = """
import sys
import softops.opset as opset
assert "softops.opset.backend" not in sys.modules
print(opset.reference.evaluate("Softmax", [[0.0, 0.0]], 13)[0].tolist(), opset.backend.supports_device("CPU"))
try:
    opset.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[0.5, 0.5] True\nmodule 'softops.opset' has no attribute 'nothing'\n"


@pytest.mark.parametrize(
    ("op_type", "attributes", "message"),
    [
        ("Softmax", {"axis": 1.5}, r"Softmax-13 takes axis as an integer \(got 1\.5\)"),
        ("Softmax", {"axis": "last"}, r"axis as an integer \(got 'last'\)"),
        ("ReduceLogSumExp", {"axes": 1}, r"axes as a list of integers \(got 1\)"),
        ("ReduceLogSumExp", {"axes": [0.5]}, r"axes as a list of integers \(got \[0\.5\]\)"),
        ("ReduceLogSumExp", {"axes": np.zeros(1)}, r"axes as a list of integers"),
        ("ReduceLogSumExp", {"axes": [0, -2]}, r"each axis once \(got \[0, -2\]\)"),
        ("ReduceLogSumExp", {"axes": [2]}, r"expected an axis in \[-2, 1\]"),
        ("Multinomial", {"seed": "1"}, r"seed as a number"),
        ("ai.onnx.ml.LinearClassifier", {"coefficients": "12"}, r"coefficients as a list of numbers"),
        ("ai.onnx.ml.LinearClassifier", {"classlabels_strings": "ab"}, r"as a list of texts"),
        ("ai.onnx.ml.Normalizer", {"norm": 1}, r"norm as text \(got 1\)"),
    ],
)
def test_attributes_of_another_type(op_type, attributes, message):
    domain, _, name = op_type.rpartition(".")
    row = operator(name, 1 if domain else 13, domain)
    for method in (row.run, row.evaluate):
        with pytest.raises((TypeError, ValueError), match=message):
            method([X], attributes)


def test_lists_may_be_arrays():
    row = operator("ReduceLogSumExp", 13)
    np.testing.assert_array_equal(row.run([X], {"axes": np.array([1])})[0], row.run([X], {"axes": (1,)})[0])
    assert row.run([X], {"axes": np.array([], np.int64), "keepdims": 0})[0].shape == ()
