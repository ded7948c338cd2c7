"""Names of the dtypes that the rows of the table share."""

from __future__ import annotations

INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
LONG_INTEGERS = ("uint32", "uint64", "int32", "int64")
INDICES = ("int32", "int64")


def floats(bfloat16: bool) -> tuple[str, ...]:
    """Return the floats that ONNX has had from the start, and bfloat16 where it came to be allowed."""
    return ("bfloat16", "float16", "float32", "float64") if bfloat16 else ("float16", "float32", "float64")
