"""The table of implementations: an operator of it is one that somebody knows."""

import onnx

from softops.opset import operators
from softops.opset.implementations.table import IMPLEMENTATIONS


def test_every_operator_is_one_of_onnx_or_of_our_table():
    known = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas_with_history()}
    ours = {(row.domain, row.op_type) for row in operators()}
    assert IMPLEMENTATIONS.keys() <= known | ours
    assert ours <= IMPLEMENTATIONS.keys()
