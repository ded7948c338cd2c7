"""
The operators that are not ours and not planned natively, by onnx's reference implementations, one node at a time.

Nothing of onnx is registered or patched. The reference implementations have three habits that are mended here:
they fill in the attributes' defaults of the newest version, so the defaults of the version at hand are put into
the node beforehand; they know no attribute that a later version has dropped; and they know no version before that
of an attribute which later made a choice of what had one meaning.
"""

from __future__ import annotations

import importlib
from collections.abc import Container, Mapping
from typing import Any

import onnx
from onnx.reference import op_run

from ..errors import UnsupportedModelError, one_line
from ..graph.domains import schema_of
from ..nodes.node import Node, Operation, Run, Value

_LOADERS = {
    "": "onnx.reference.ops",
    "ai.onnx.ml": "onnx.reference.ops.aionnxml",
    "ai.onnx.preview": "onnx.reference.ops.aionnx_preview",
    "ai.onnx.preview.training": "onnx.reference.ops.aionnx_preview_training",
}

_MEANT_BEFORE: dict[tuple[str, str], tuple[int, str]] = {
    ("RoiAlign", "coordinate_transformation_mode"): (16, "output_half_pixel")
}
"""Of an operator and attribute the version that brought it, and the value that says what was meant before."""

_NO_MEANING = ("consumed_inputs",)
"""Attributes that said where memory could be used again."""


def reference_implementation(node: Node) -> Operation | None:
    """
    Return what onnx's implementation of a node does, or None if it has none for the operator.

    Raises
    ------
    UnsupportedModelError
        The implementation does not take the node's attributes.
    """
    if node.proto.domain not in _LOADERS:
        return None
    proto, version = node.proto, node.version
    try:
        load = importlib.import_module(_LOADERS[proto.domain]).load_op
        implementation = load(proto.domain, proto.op_type, version)
    except (ImportError, NotImplementedError, op_run.RuntimeContextError, AssertionError):
        return None
    except (RuntimeError, ValueError) as error:
        raise _unsupported(proto, error) from error
    parameters = {
        "log": lambda *_: None,
        "opsets": node.opsets,
        "verbose": 0,
        "new_ops": {},
        "existing_functions": {},
        "evaluator_cls": lambda graph, **_: _Evaluator(graph, node.planning.closed_graph(graph)),
    }
    try:
        given = _completed(proto, version, ())
        made = implementation(given, parameters)
        if (completed := _completed(proto, version, made.attributes_names_)) != given:
            made = implementation(completed, parameters)
    except Exception as error:  # whatever an implementation stumbles over
        raise _unsupported(proto, error) from error
    return Operation(made.run, many=True)


class _Evaluator:
    """A graph among a node's attributes, as onnx's reference implementations run it."""

    has_linked_attribute = False

    def __init__(self, graph: onnx.GraphProto, run: Run) -> None:
        self.input_names = [value.name for value in graph.input]
        self.output_names = [value.name for value in graph.output]
        self._run = run

    def run(self, _: Any, feeds: Mapping[str, Value], **__: Any) -> list[Value]:
        return self._run([feeds[name] for name in self.input_names])


def _completed(node: onnx.NodeProto, version: int, known: Container[str]) -> onnx.NodeProto:
    """The node with its version's defaults of the attributes that the implementation knows."""
    completed = onnx.NodeProto()
    completed.CopyFrom(node)
    del completed.attribute[:]
    completed.attribute.extend(a for a in node.attribute if a.name not in _NO_MEANING)
    given = {attribute.name for attribute in node.attribute}
    schema = schema_of(node.op_type, version, node.domain)
    for name, attribute in () if schema is None else schema.attributes.items():
        default = attribute.default_value
        if name in known and name not in given and default.type != onnx.AttributeProto.UNDEFINED:
            completed.attribute.append(default)
            completed.attribute[-1].name = name
    for (op_type, name), (since, value) in _MEANT_BEFORE.items():
        if node.op_type == op_type and version < since and name in known:
            completed.attribute.append(onnx.helper.make_attribute(name, value))
    return completed


def _unsupported(node: onnx.NodeProto, error: Exception) -> UnsupportedModelError:
    message = (
        f"expected {node.op_type} in a form that can be run ({one_line(error) or type(error).__name__}); "
        "export without it"
    )
    return UnsupportedModelError(message)
