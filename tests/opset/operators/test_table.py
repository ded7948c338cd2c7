"""The table says what the schemas of the installed onnx, and of onnxruntime, say."""

import onnx
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state

from softops.opset import operators

NEWEST = {"": onnx.defs.onnx_opset_version()}
IN_ONNX = [row for row in operators() if row.domain != "com.microsoft"]
IN_ONNXRUNTIME = [row for row in operators() if row.domain == "com.microsoft"]
DTYPES = {"float": "float32", "double": "float64"}


def dtype_name(type_str):
    name = type_str.removeprefix("tensor(").removesuffix(")")
    return DTYPES.get(name, name)


def parameters(formal):
    """(name, type or dtype, optional) of a schema's inputs or outputs."""
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    return [(p.name, dtype_name(p.type_str), p.option == optional) for p in formal]


def test_has_every_version_of_its_operators():
    names = {(row.domain, row.op_type) for row in IN_ONNX}
    schemas = onnx.defs.get_all_schemas_with_history()
    known = {(s.domain, s.name, s.since_version) for s in schemas if (s.domain, s.name) in names}
    table = [(row.domain, row.op_type, row.since_version) for row in IN_ONNX]
    assert len(set(table)) == len(table)
    # An older onnx does not know the newest rows yet.
    assert {row for row in table if row[2] <= NEWEST.get(row[0], 1)} == known


@pytest.mark.parametrize("row", IN_ONNX, ids=lambda row: row.name)
def test_row_agrees_with_schema(row):
    if row.since_version > NEWEST.get(row.domain, 1):
        pytest.skip(f"onnx {onnx.__version__} does not know it yet")
    schema = onnx.defs.get_schema(row.op_type, row.since_version, row.domain)
    assert schema.since_version == row.since_version
    assert [tuple(p) for p in row.inputs] == parameters(schema.inputs)
    # onnx calls no output optional in some texts: their number says so as well.
    assert [tuple(p) for p in row.outputs] == parameters(schema.outputs)
    assert {name: set(dtypes) for name, dtypes in row.types.items()} == {
        c.type_param_str: {dtype_name(t) for t in c.allowed_type_strs} for c in schema.type_constraints
    }


@pytest.mark.parametrize("row", IN_ONNX, ids=lambda row: row.name)
def test_attributes_agree_with_schema(row):
    if row.since_version > NEWEST.get(row.domain, 1):
        pytest.skip(f"onnx {onnx.__version__} does not know it yet")
    schema = onnx.defs.get_schema(row.op_type, row.since_version, row.domain)
    found = {}
    for name, attribute in schema.attributes.items():
        default = attribute.default_value
        value = onnx.helper.get_attribute_value(default) if default.type else None
        kind = attribute.type.name.lower()
        found[name] = (kind, value.decode() if isinstance(value, bytes) else value, attribute.required)
    assert {name: tuple(attribute) for name, attribute in row.attributes.items()} == found
    if "axis" in row.attributes:
        assert row.attributes["axis"].default == row.default_axis
    if row.axis_rule is None:
        assert not {"axis", "axes"} & row.attributes.keys()
        assert row.default_axis is None
    # The schema has no field for the rule: the flattening ones speak of coercion into a matrix.
    if "axis" in row.attributes:
        text = schema.doc + schema.attributes["axis"].description
        assert (row.axis_rule == "flatten") == ("coerced" in text)


@pytest.mark.parametrize("row", IN_ONNXRUNTIME, ids=lambda row: row.name)
def test_contrib_row_agrees_with_onnxruntime(row):
    (schema,) = (
        s
        for s in onnxruntime_state.get_all_operator_schema()
        if (s.domain, s.name) == (row.domain, row.op_type)
    )
    assert schema.since_version == row.since_version
    for ours, theirs in ((row.inputs, schema.inputs), (row.outputs, schema.outputs)):
        found = [(p.name, dtype_name(p.typeStr), p.option.name == "Optional") for p in theirs]
        assert [tuple(p) for p in ours] == found
    assert {name: set(dtypes) for name, dtypes in row.types.items()} == {
        c.type_param_str: {dtype_name(t) for t in c.allowed_type_strs} for c in schema.type_constraints
    }
    assert {name: attribute.required for name, attribute in row.attributes.items()} == {
        name: attribute.required for name, attribute in schema.attributes.items()
    }


@pytest.mark.parametrize("row", operators(), ids=lambda row: row.name)
def test_address_of_the_text(row):
    file, _, anchor = row.schema_url.rpartition("/")[2].partition("#")
    if row.domain == "com.microsoft":
        assert (file, anchor) == ("ContribOperators.md", f"com.microsoft.{row.op_type}")
    else:
        assert file == ("Changelog.md" if row.domain == "" else "Changelog-ml.md")
        assert anchor == row.name
