"""A Numba type for LLVM's vectors.

Numba leaves vector code to LLVM's loop vectoriser, which gives up at a maximum, a branch or a wrap-around check and
says nothing. Here a kernel handles 64 bytes of numbers as one value, whatever the machine: LLVM makes of it one
register of AVX-512, two of AVX2, four of SSE2 or NEON. Nothing is tied to a processor.
"""

from typing import Any

import ml_dtypes
import numpy as np
from llvmlite import ir
from numba import types

VECTOR_BYTES = 64


class Vector(types.Type):
    """The type of `lanes` numbers of one scalar type."""

    def __init__(self, scalar: Any, lanes: int) -> None:
        self.scalar = scalar
        self.lanes = lanes
        super().__init__(name=f"Vector({scalar}, {lanes})")


# Halves are named by integers as wide: NumPy's float16 by uint16, bfloat16 by int16. They live in memory only and are
# computed in float32.
FLOAT16, BFLOAT16 = types.uint16, types.int16
# What says to a kernel which numbers lie at an address: a scalar whose type stands for it.
KINDS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.float32(0),
    np.dtype(np.float64): np.float64(0),
    np.dtype(np.float16): np.uint16(0),
    np.dtype(ml_dtypes.bfloat16): np.int16(0),
}
INTEGER = {types.float32: types.int32, types.float64: types.int64}
_SCALARS = {
    types.float32: (ir.FloatType(), "f32"),
    types.float64: (ir.DoubleType(), "f64"),
    types.uint8: (ir.IntType(8), "i8"),
    types.int16: (ir.IntType(16), "i16"),
    types.uint16: (ir.IntType(16), "i16"),
    types.int32: (ir.IntType(32), "i32"),
    types.int64: (ir.IntType(64), "i64"),
    types.boolean: (ir.IntType(1), "i1"),
}


def scalar_of(t: Any) -> Any:
    """The type of one lane, or of the number itself."""
    return t.scalar if isinstance(t, Vector) else t


def lanes_of(t: Any) -> int:
    """How many numbers there are: 1 for a scalar type."""
    return t.lanes if isinstance(t, Vector) else 1


def typed(scalar: Any, lanes: int) -> Any:
    """The vector type, or the scalar type for one lane."""
    return Vector(scalar, lanes) if lanes > 1 else scalar


def with_scalar(t: Any, scalar: Any) -> Any:
    """As many lanes of another scalar type."""
    return typed(scalar, lanes_of(t))


def llvm(t: Any) -> Any:
    """LLVM's type of a vector or a number."""
    scalar = _SCALARS[scalar_of(t)][0]
    return ir.VectorType(scalar, t.lanes) if isinstance(t, Vector) else scalar


def llvm_name(t: Any) -> str:
    """The type in the names of LLVM's intrinsic functions: ``v16f32``."""
    return f"{f'v{t.lanes}' if isinstance(t, Vector) else ''}{_SCALARS[scalar_of(t)][1]}"


def computed_as(kind: Any) -> Any:
    """The type that numbers of this kind are computed in."""
    return types.float32 if kind in (FLOAT16, BFLOAT16) else kind


def vector_of(kind: Any) -> Vector:
    """The type that `load` gives for a `kind` of this Numba type."""
    scalar = computed_as(kind)
    return Vector(scalar, VECTOR_BYTES * 8 // scalar.bitwidth)
