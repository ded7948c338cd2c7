"""Where a node may stay as it is: what ONNX's schemas say of an operator at two neighbouring versions."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import onnx

from ..graph import domains
from ..graph.scopes import Scope
from ..graph.types import type_word

Schema = onnx.defs.OpSchema

# What means something else from a version on although nothing about its form says so, or has new attributes whose
# defaults change its meaning. Read off the texts and off onnx's own converter.
_MEANING_CHANGED = {
    6: {"BatchNormalization", "Dropout", "Gemm"},
    8: {"Max", "Mean", "Min", "Sum"},
    9: {"BatchNormalization", "Cast", "Scan", "Upsample"},
    10: {"Upsample"},
    11: {"Resize", "Scatter"},
    13: {"DequantizeLinear", "QuantizeLinear", "Softmax", "LogSoftmax", "Hardmax"},
    16: {"RoiAlign", "ScatterElements", "ScatterND"},
    18: {"Resize", "ScatterElements", "ScatterND", "Split"},
    19: {"Pad"},
    20: {"DFT", "GridSample"},
    21: {"DequantizeLinear", "GroupNormalization", "QuantizeLinear"},
    27: {"Range"},
    28: {"Cast", "Mod", "QuantizeLinear", "SpaceToDepth"},
}
# The versions whose texts were compared. At 6 `consumed_inputs` went, which said nothing about the result; at 7
# broadcasting came, and before 6 there are few to compare: these are left to onnx's converter.
_COMPARED = {6, *range(8, 29)}


@cache
def schema_of(op_type: str, opset: int) -> Schema | None:
    """The text of an ai.onnx operator at an opset; None where there is none."""
    return domains.schema_of(op_type, opset, "")


@cache
def _versions() -> dict[str, list[int]]:
    """The versions of every operator of ai.onnx, in ascending order."""
    versions: dict[str, list[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            versions.setdefault(schema.name, []).append(schema.since_version)
    return {name: sorted(found) for name, found in versions.items()}


# A schema copies these out of C++ each time it is asked.
@cache
def _attributes(schema: Schema) -> dict[str, Schema.Attribute]:
    return dict(schema.attributes)


@cache
def _constraints(schema: Schema) -> dict[str, set[str]]:
    return {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}


def steps(op_type: str, source: int, target: int) -> list[tuple[int, int]]:
    """The pairs of neighbouring opsets between which the operator has a new version, in the order of the way."""
    versions = _versions().get(op_type, [])
    if source < target:
        return [(version - 1, version) for version in versions if source < version <= target]
    return [(version, version - 1) for version in reversed(versions) if target < version <= source]


def stays(node: onnx.NodeProto, source: int, target: int) -> bool:
    """
    Whether the node means at opset ``target``, next to ``source``, what it means at ``source``.

    So it is where everything the node has and everything it leaves out is in both texts, with the same
    defaults, and no meaning is known to have changed. Types are not looked at.
    """
    version = max(source, target)
    if version not in _COMPARED or node.op_type in _MEANING_CHANGED.get(version, ()):
        return False
    if node.op_type == "BatchNormalization" and version == 14 and len(node.output) > 1:
        return False  # those beyond the first changed; without them it is the same, save for training_mode
    old, new = schema_of(node.op_type, source), schema_of(node.op_type, target)
    if old is None or new is None or new.deprecated:
        return False
    return _values_fit(node, new) and _attributes_fit(node, old, new)


def _values_fit(node: onnx.NodeProto, new: Schema) -> bool:
    """Whether the node has the inputs that the schema asks for, and no more inputs and outputs than it takes."""
    if not new.min_input <= len(node.input) <= new.max_input or len(node.output) > new.max_output:
        return False
    return all(
        name or formal.option != Schema.FormalParameterOption.Single
        for name, formal in zip(node.input, new.inputs, strict=False)
    )


def _attributes_fit(node: onnx.NodeProto, old: Schema, new: Schema) -> bool:
    """Whether what the node's attributes say, and what their absence says, is the same in both schemas."""
    given = {attribute.name: attribute for attribute in node.attribute}
    before, after = _attributes(old), _attributes(new)
    for name, attribute in given.items():
        if name not in after:
            if not _is_default(attribute, before.get(name)):
                return False
        elif _kind(after[name]) != attribute.type:
            return False
    return not any(
        after[name].required or (name in before and _default(before[name]) != _default(after[name]))
        for name in after.keys() - given.keys()
    )


def without_defaults(node: onnx.NodeProto, target: int) -> onnx.NodeProto:
    """A copy of a node that `stays`, without the attributes that ``target`` does not know."""
    new = schema_of(node.op_type, target)
    result = deepcopy(node)
    kept = [attribute for attribute in node.attribute if new is None or attribute.name in _attributes(new)]
    del result.attribute[:]
    result.attribute.extend(kept)
    return result


def refused_type(node: onnx.NodeProto, schema: Schema, scope: Scope) -> str | None:
    """The first type of the node that the schema does not take, as ONNX writes it; None where all fit."""
    constraints = _constraints(schema)
    bound: dict[str, str] = {}
    for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for index, name in enumerate(names[: len(names) if _is_variadic(formals) else len(formals)]):
            formal = formals[min(index, len(formals) - 1)]
            written = type_string(scope.type_of(name)) if name else None
            if written is None:
                continue
            if written not in constraints.get(formal.type_str, {formal.type_str}):
                return written
            if formal.is_homogeneous and bound.setdefault(formal.type_str, written) != written:
                return f"{written} beside {bound[formal.type_str]}"
    return None


def _is_variadic(formals: Sequence[Schema.FormalParameter]) -> bool:
    return bool(formals) and formals[-1].option == Schema.FormalParameterOption.Variadic


def type_string(value: onnx.TypeProto | None) -> str | None:
    """A type as schemas write it, such as ``tensor(float)``; None where it is not known."""
    if value is None:
        return None
    kind = value.WhichOneof("value")
    if kind == "tensor_type":
        if value.tensor_type.elem_type == onnx.TensorProto.UNDEFINED:
            return None
        return f"tensor({type_word(value.tensor_type.elem_type)})"
    if kind in ("sequence_type", "optional_type"):
        element = type_string(getattr(value, kind).elem_type)
        return None if element is None else f"{'seq' if kind == 'sequence_type' else 'optional'}({element})"
    return None


def _kind(attribute: Schema.Attribute) -> int:
    kind: Any = attribute.type  # an enumeration that onnx's stubs do not describe as one
    return int(kind)


def _default(attribute: Schema.Attribute) -> bytes:
    return bytes(attribute.default_value.SerializeToString())


def _is_default(given: onnx.AttributeProto, known: Schema.Attribute | None) -> bool:
    if known is None or given.ref_attr_name or not known.default_value.name:
        return False
    return bool(
        onnx.helper.get_attribute_value(given) == onnx.helper.get_attribute_value(known.default_value)
    )
