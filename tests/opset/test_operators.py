"""The table says what the schemas of the installed onnx say."""

import dataclasses
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest

from softops.opset import UnknownOperatorError, UnknownOpsetError, operator, operators

NEWEST = onnx.defs.onnx_opset_version()
DTYPE_OF = {
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
}


def test_has_every_version_of_its_operators():
    names = {row.op_type for row in operators()}
    schemas = onnx.defs.get_all_schemas_with_history()
    expected = {(s.name, s.since_version) for s in schemas if s.domain == "" and s.name in names}
    assert {(row.op_type, row.since_version) for row in operators()} == expected
    assert len(operators()) == len(expected)


@pytest.mark.parametrize("row", operators(), ids=lambda row: row.name)
def test_row_agrees_with_schema(row):
    schema = onnx.defs.get_schema(row.op_type, row.since_version, row.domain)
    assert schema.since_version == row.since_version
    if "axis" in schema.attributes:
        assert schema.attributes["axis"].default_value.i == row.default_axis
    else:
        assert row.default_axis is None
        assert row.axis_rule is None
    # The schema has no field for the rule: the flattening ones speak of coercion into a matrix.
    if row.axis_rule is not None:
        assert (row.axis_rule == "flatten") == (
            "coerced" in schema.doc + schema.attributes["axis"].description
        )
    (constraint,) = schema.type_constraints
    assert set(row.dtypes) == {DTYPE_OF[name] for name in constraint.allowed_type_strs}
    assert row.schema_url.endswith(f"Changelog.md#{row.op_type}-{row.since_version}")


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax", "Sigmoid"])
@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_operator_is_the_version_onnx_takes(op_type, domain):
    for opset in range(1, NEWEST + 1):
        row = operator(op_type, opset, domain)
        assert row.since_version == onnx.defs.get_schema(op_type, opset, "").since_version


def test_reading_the_table_needs_neither_compiler_nor_evaluator():
    code = "import sys, softops.opset; print({'numba', 'onnx.reference', 'onnx.backend'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_rows_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        operators()[0].default_axis = 0


@pytest.mark.parametrize("opset", [0, -1, NEWEST + 1, 10**6])
def test_unknown_opset(opset):
    with pytest.raises(UnknownOpsetError, match=rf"opset from 1 to {NEWEST}.*got {opset}"):
        operator("Softmax", opset)


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


@pytest.mark.parametrize("row", operators(), ids=lambda row: row.name)
def test_compute_keeps_the_dtype_and_is_close_to_exact(row):
    x = np.random.default_rng(0).standard_normal((3, 4)) * 3
    for name in row.dtypes:
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        given = x.astype(dtype)
        computed, exact = row.compute(given), row.exact(given)
        assert computed.dtype == dtype
        assert exact.dtype == np.longdouble
        assert row.exact(given, dtype=dtype).dtype == dtype
        # Rounding alone costs half an eps of the value; the kernels' own error is tested where they are.
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


def test_bfloat16_came_with_opset_13():
    x = np.zeros((1, 2), ml_dtypes.bfloat16)
    assert operator("Softmax", 13).compute(x).tolist() == [[0.5, 0.5]]
    with pytest.raises(TypeError, match="Softmax-11 takes float16, float32 or float64"):
        operator("Softmax", 12).compute(x)
