"""ai.onnx.ml's LabelEncoder and CategoryMapper: values by keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from .lookup import Lookup, is_text

_BY_LISTS = 2
"""Before this version of LabelEncoder a list of names gives integers by place, and the other way round."""

_BY_TENSORS = 4

_LISTS: dict[str, tuple[Any, str, Any]] = {
    "int64s": (np.int64, "default_int64", -1),
    "floats": (np.float32, "default_float", -0.0),
    "strings": (object, "default_string", "_Unused"),
}
"""Of each kind of list its dtype, the attribute with the default, and the default of that."""


def label_encoder(node: Node) -> Operation | None:
    """The value of each key, or the default. Of equal keys the last; which it is, no version before 4 says."""
    attributes = node.attributes
    if node.version < _BY_LISTS:
        names = attributes.get("classes_strings") or []
        return _both_ways(names, np.arange(len(names)), attributes)
    keys, values = _given(attributes, "keys"), _given(attributes, "values")
    if len(keys) != len(values):
        message = f"expected as many values as keys in {node.label} (got {len(values)} and {len(keys)})"
        raise ValueError(message)
    lookup = Lookup(keys)
    if node.version < _BY_TENSORS and (lookup.places(keys) != np.arange(len(keys))).any():
        return None
    default = _default_of(attributes, values)
    return Operation(lambda x: _found(lookup, x, values, default), fresh=True)


def category_mapper(node: Node) -> Operation:
    """Text for integers, integers for text."""
    names = node.attributes.get("cats_strings") or []
    return _both_ways(names, np.array(node.attributes.get("cats_int64s") or [], np.int64), node.attributes)


def _both_ways(names: list[str], numbers: Array, attributes: Mapping[str, Any]) -> Operation:
    if len(names) != len(numbers):
        message = f"expected as many strings as integers (got {len(names)} and {len(numbers)})"
        raise ValueError(message)
    texts = np.array(names, object)
    by_text, by_number = Lookup(texts), Lookup(numbers)
    text = np.array(attributes.get("default_string", "_Unused"), object)
    number = np.array(attributes.get("default_int64", -1), np.int64)

    def run(x: Array) -> Array:
        return _found(by_text, x, numbers, number) if is_text(x) else _found(by_number, x, texts, text)

    return Operation(run, fresh=True)


def _given(attributes: Mapping[str, Any], kind: str) -> Array:
    """The keys or values, from a list or a tensor."""
    if (tensor := attributes.get(f"{kind}_tensor")) is not None:
        return np.ravel(tensor)
    for name, (dtype, _, _) in _LISTS.items():
        if attributes.get(f"{kind}_{name}") is not None:
            return np.array(attributes[f"{kind}_{name}"], dtype)
    message = f"expected {kind}_* in a LabelEncoder (got none); set one of them"
    raise ValueError(message)


def _default_of(attributes: Mapping[str, Any], values: Array) -> Array:
    if (tensor := attributes.get("default_tensor")) is not None:
        return np.ravel(tensor)[0:1].reshape(())
    kind = "strings" if is_text(values) else "floats" if values.dtype.kind == "f" else "int64s"
    _, name, otherwise = _LISTS[kind]
    return np.array(attributes.get(name, otherwise), values.dtype)


def _found(lookup: Lookup, x: Array, values: Array, default: Array) -> Array:
    places = lookup.places(x)
    result = np.full(places.shape, default, values.dtype)
    known = places >= 0
    result[known] = values[places[known]]
    return result
