"""ai.onnx.ml's operators on features, number by number or column by column."""

from __future__ import annotations

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation
from .lookup import Lookup, is_text


def scaler(node: Node) -> Operation:
    """(x - offset) scale in float64, rounded to float32; one number of each for all features, or one for each."""
    offset = np.array(node.attributes.get("offset") or [0], np.float32).astype(np.float64)
    scale = np.array(node.attributes.get("scale") or [1], np.float32).astype(np.float64)

    def run(x: Array) -> Array:
        for name, numbers in (("offset", offset), ("scale", scale)):
            _check_length(name, len(numbers), x)
        return np.asarray((x.astype(np.float64) - offset) * scale).astype(np.float32)

    return Operation(run, fresh=True)


def imputer(node: Node) -> Operation:
    """Another number, or one for each feature, where a number is that to be replaced; a NaN is every NaN."""
    attributes = node.attributes

    def run(x: Array) -> Array:
        floats = x.dtype.kind == "f"
        name = "imputed_value_floats" if floats else "imputed_value_int64s"
        replaced = attributes.get("replaced_value_float" if floats else "replaced_value_int64", 0)
        numbers = attributes.get(name)
        if not numbers:
            message = f"{name} is needed for {x.dtype}"
            raise ValueError(message)
        _check_length(name, len(numbers), x)
        is_missing = np.isnan(x) if floats and np.isnan(replaced) else x == replaced
        given = np.array(numbers, np.float32 if floats else np.int64)
        return np.where(is_missing, given.astype(x.dtype), x)

    return Operation(run, fresh=True)


def binarizer(node: Node) -> Operation:
    """1 above the threshold, else 0."""
    threshold = float(np.float32(node.attributes.get("threshold", 0)))
    return Operation(lambda x: np.asarray(x > threshold).astype(x.dtype), fresh=True)


def array_feature_extractor(node: Node) -> Operation:
    """Places of the last axis, taken in the order of the indices; of rank 1 it has one row."""

    def run(x: Array, indices: Array) -> Array:
        places = indices.ravel()
        if places.size and not 0 <= places.min() <= places.max() < x.shape[-1]:
            message = (
                f"the indices must lie in [0, {x.shape[-1]}), not reach from {places.min()} to {places.max()}"
            )
            raise ValueError(message)
        return np.atleast_2d(x)[..., places]

    return Operation(run, fresh=True)


def feature_vectorizer(node: Node) -> Operation:
    """
    The inputs side by side, as float32; of rank 1 they are one row.

    Each is as wide as ``inputdimensions`` says: the rest is cut off, or 0.
    """
    widths = node.attributes.get("inputdimensions") or []

    def run(*inputs: Array) -> Array:
        matrices = [np.atleast_2d(x) for x in inputs]
        wanted = widths or [x.shape[1] for x in matrices]
        if len(wanted) != len(matrices):
            message = f"{len(wanted)} inputdimensions ask for as many inputs"
            raise ValueError(message)
        parts = []
        for x, width in zip(matrices, wanted, strict=True):
            part = np.zeros((len(x), width), np.float32)
            part[:, : x.shape[1]] = x[:, :width]
            parts.append(part)
        return np.hstack(parts)

    return Operation(run, fresh=True)


def one_hot_encoder(node: Node) -> Operation:
    """A new last axis with a 1 at the place of the category; floats are cut off to integers."""
    attributes = node.attributes
    of_text, of_numbers = (
        Lookup(attributes.get("cats_strings") or []),
        Lookup(attributes.get("cats_int64s") or []),
    )
    zeros = bool(attributes.get("zeros", 1))

    def run(x: Array) -> Array:
        lookup = of_text if is_text(x) else of_numbers
        places = lookup.places(x if is_text(x) else x.astype(np.int64))
        if not zeros and (places < 0).any():
            message = "a category was not found, and zeros=0 asks for all to be"
            raise ValueError(message)
        return np.asarray(places[..., None] == np.arange(lookup.size)).astype(np.float32)

    return Operation(run, fresh=True)


def _check_length(name: str, length: int, x: Array) -> None:
    if length not in (1, x.shape[-1] if x.ndim else 1):
        message = f"{name} must have one number or {x.shape[-1]}, as many as features, not {length}"
        raise ValueError(message)
