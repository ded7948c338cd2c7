"""
The operators that are not ours and not planned natively, by onnx's reference implementations, one node at a time.

Nothing of onnx is registered or patched. The reference implementations have two habits that are mended here:
they fill in the attributes' defaults of the newest version, so the defaults of the version at hand are put into
the node beforehand; and they know no attribute that a later version has dropped.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx.reference import op_run

from ..errors import UnsupportedModelError, one_line

_LOADERS = {
    "": "onnx.reference.ops",
    "ai.onnx.ml": "onnx.reference.ops.aionnxml",
    "ai.onnx.preview": "onnx.reference.ops.aionnx_preview",
    "ai.onnx.preview.training": "onnx.reference.ops.aionnx_preview_training",
}

_GOES_ON_AT = 11
"""The opset at which Scatter and Upsample went on under another name, and Resize by other inputs."""

_NO_MEANING = ("consumed_inputs",)
"""Attributes that said where memory could be used again."""


def reference_run(
    node: onnx.NodeProto, version: int, opsets: dict[str, int], subgraph: Callable[[onnx.GraphProto], Any]
) -> Callable[..., Any] | None:
    """
    Return onnx's implementation of a node, or None if it has none for the operator.

    Parameters
    ----------
    node
        Its domain is ``""`` for ai.onnx, and its attributes refer to nothing.
    version, opsets
        Version of the node's domain; versions of all.
    subgraph
        Turns a graph among the attributes into what the implementation runs.

    Raises
    ------
    UnsupportedModelError
        The implementation does not take the node's attributes.
    """
    if node.domain not in _LOADERS:
        return None
    own, (node, version) = node, _as_of_11(node, version)
    is_old_resize = node.op_type == "Resize" and node is not own
    try:
        load = importlib.import_module(_LOADERS[node.domain]).load_op
        implementation = load(node.domain, node.op_type, version)
    except (ImportError, NotImplementedError, op_run.RuntimeContextError, AssertionError):
        return None
    except (RuntimeError, ValueError) as error:
        raise _unsupported(node, error) from error
    parameters = {
        "log": _no_log,
        "opsets": opsets,
        "verbose": 0,
        "new_ops": {},
        "existing_functions": {},
        "evaluator_cls": lambda graph, **_: subgraph(graph),
    }
    try:
        made = implementation(_plain(node), parameters)
        if defaults := _other_defaults(node, version, made.attributes_names_):
            node = _plain(node)
            node.attribute.extend(defaults)
            made = implementation(node, parameters)
    except Exception as error:  # whatever an implementation stumbles over
        raise _unsupported(node, error) from error
    run: Callable[..., Any] = made.run
    if is_old_resize:
        return _resize(run, own)
    if made.need_context():
        return lambda *inputs, context: run(*inputs, context=context)
    return run


def _as_of_11(node: onnx.NodeProto, version: int) -> tuple[onnx.NodeProto, int]:
    """
    The node and its version by the form of opset 11, where that says the same.

    Upsample, and Resize before 11, find their places by x / scale, and take the number before it. Version 11 calls
    that asymmetric, and floor.
    """
    is_old = node.op_type in ("Scatter", "Upsample") or (node.op_type == "Resize" and version < _GOES_ON_AT)
    if node.domain or not is_old:
        return node, version
    new = onnx.NodeProto()
    new.CopyFrom(node)
    new.op_type = "ScatterElements" if node.op_type == "Scatter" else "Resize"
    if new.op_type == "Resize":
        del new.attribute[:]
        new.attribute.extend(a for a in node.attribute if a.name == "mode")
        for name, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")):
            new.attribute.append(onnx.helper.make_attribute(name, value))
    return new, max(version, _GOES_ON_AT)


def _resize(run: Callable[..., Any], node: onnx.NodeProto) -> Callable[..., Any]:
    """Version 11's Resize, which has an input more, for the inputs of an older node."""
    fixed = next((np.float32(a.floats) for a in node.attribute if a.name == "scales"), None)
    is_nearest = all(a.s == b"nearest" for a in node.attribute if a.name == "mode")

    def resize(x: Any, scales: Any = fixed) -> Any:
        if is_nearest and np.min(scales) < 1:
            message = "before opset 11 nobody says which number is the nearest in a smaller tensor"
            raise ValueError(message)
        return run(x, None, scales)

    return resize


def _plain(node: onnx.NodeProto) -> onnx.NodeProto:
    """A copy of the node without what has no meaning."""
    plain = onnx.NodeProto()
    plain.CopyFrom(node)
    del plain.attribute[:]
    plain.attribute.extend(a for a in node.attribute if a.name not in _NO_MEANING)
    return plain


def _other_defaults(node: onnx.NodeProto, version: int, known: set[str]) -> list[onnx.AttributeProto]:
    """The defaults of the node's version, for attributes that the implementation knows and the node does not give."""
    if not onnx.defs.has(node.op_type, version, node.domain):
        return []
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    missing = known - {attribute.name for attribute in node.attribute}
    defaults = []
    for name in missing & schema.attributes.keys():
        default = onnx.AttributeProto()
        default.CopyFrom(schema.attributes[name].default_value)
        if default.type != onnx.AttributeProto.UNDEFINED:
            default.name = name
            defaults.append(default)
    return defaults


def _unsupported(node: onnx.NodeProto, error: Exception) -> UnsupportedModelError:
    message = (
        f"expected {node.op_type} in a form that can be run ({one_line(error) or type(error).__name__}); "
        "export without it"
    )
    return UnsupportedModelError(message)


def _no_log(*_: Any) -> None:
    """The reference implementations tell here what they do."""
