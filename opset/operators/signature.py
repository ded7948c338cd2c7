"""The words of a row: dtypes by name, inputs and outputs, attributes and their types."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import ml_dtypes
import numpy as np

INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
LONG_INTEGERS = ("uint32", "uint64", "int32", "int64")
INDICES = ("int32", "int64")


def floats(bfloat16: bool) -> tuple[str, ...]:
    """Return the floats that ONNX has had from the start, and bfloat16 where it came to be allowed."""
    return ("bfloat16", "float16", "float32", "float64") if bfloat16 else ("float16", "float32", "float64")


def dtype_named(name: str) -> np.dtype[Any]:
    """Return NumPy's dtype of a name in a row."""
    others: dict[str, Any] = {"bfloat16": ml_dtypes.bfloat16, "string": object}
    dtype: np.dtype[Any] = np.dtype(others.get(name, name))
    return dtype


class Parameter(NamedTuple):
    """An input or an output: its name, its type (a name in `Operator.types`, or a dtype), whether it may lack."""

    name: str
    type: str
    optional: bool = False


_KINDS: dict[str, type | tuple[type, ...]] = {"int": Integral, "float": Real, "string": str}
_WORDS = {
    "int": "an integer",
    "ints": "a list of integers",
    "float": "a number",
    "floats": "a list of numbers",
    "string": "text",
    "strings": "a list of texts",
}


class Attribute(NamedTuple):
    """An attribute's type, as ONNX calls it, and its default; None where a node may leave it undefined."""

    type: Literal["int", "ints", "float", "floats", "string", "strings"]
    default: Any = None
    required: bool = False


def check_attribute(operator: str, name: str, kind: str, value: Any) -> None:
    """Raise a TypeError where a value is not of an attribute's type, as ONNX calls it."""
    if not _fits(value, kind):
        message = f"{operator} takes {name} as {_WORDS[kind]} (got {value!r:.50}); pass such a value"
        raise TypeError(message)


def as_text(value: Any) -> Any:
    """Strings of an attribute as str, which ONNX keeps as bytes."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list | tuple) and value and isinstance(value[0], bytes):
        return [item.decode() for item in value]
    return value


def _fits(value: Any, kind: str) -> bool:
    """Whether the value is of an attribute's type, as ONNX calls it."""
    if kind in _KINDS:
        return isinstance(value, _KINDS[kind])
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in {"ints": "iu", "floats": "iuf", "strings": "OU"}[kind]
    single = _KINDS[kind.removesuffix("s")]
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(isinstance(item, single) for item in value)
