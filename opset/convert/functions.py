"""Functions that stand in the way of a conversion, put in the place of their calls."""

from __future__ import annotations

import onnx

from ..graph.by_onnx import inline
from ..graph.domains import DOMAINS
from ..graph.walk import bodies_in
from .axis import AXIS_OPERATORS


def inline_axes(model: onnx.ModelProto) -> None:
    """
    Inline the functions, and only these, in which an axis of our operators is an attribute of the function.

    Below opset 13 a Transpose has to carry that axis out, and its permutation is a list of numbers. In the
    place of a call the number is known.
    """
    while names := [(f.domain, f.name) for f in model.functions if _has_open_axis(f) and _fits(f, model)]:
        inlined = inline(model, names)
        if len(inlined.functions) >= len(model.functions):
            return  # no progress: converting the axis then says what is wrong
        model.CopyFrom(inlined)


def _fits(function: onnx.FunctionProto, model: onnx.ModelProto) -> bool:
    """Whether the body means in the model what it means in the function: whether both import the same opsets."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    return all(versions.get(entry.domain) == entry.version for entry in function.opset_import)


def _has_open_axis(function: onnx.FunctionProto) -> bool:
    return any(
        node.op_type in AXIS_OPERATORS
        and node.domain in DOMAINS
        and any(attribute.name == "axis" and attribute.ref_attr_name for attribute in node.attribute)
        for body in bodies_in(function)
        for node in body.node
    )
