"""float16 and bfloat16 to float32 and back, on the bits.

Halves travel as integers of 32 bits with the number in the low 16. float16 takes the machine's conversion where it has
one; the arithmetic one, which gives the same numbers, is for machines (and emulations of them) without.
"""

from typing import Any

from llvmlite import ir
from numba import types

from .numba_internals import machine
from .operations import bits, from_bits, where
from .types import FLOAT16, llvm, with_scalar
from .values import Value


def _hardware() -> bool:
    """Whether the machine that is compiled for converts float16 by itself."""
    triple, features = machine()
    return "+f16c" in features or not triple.startswith(("x86_64", "i686", "i386"))


def _sixteen(value: Value) -> tuple[Any, Any]:
    """LLVM's types for as many integers of 16 bits, and as many float16."""
    if value.lanes == 1:
        return ir.IntType(16), ir.HalfType()
    return ir.VectorType(ir.IntType(16), value.lanes), ir.VectorType(ir.HalfType(), value.lanes)


def _extended(value: Value) -> Value:
    """float16 in the low half of 32 bits to float32, by the machine."""
    builder, result = value.builder, with_scalar(value.type, types.float32)
    sixteen, half = _sixteen(value)
    return value.new(
        result, builder.fpext(builder.bitcast(builder.trunc(value.ir, sixteen), half), llvm(result))
    )


def _truncated(value: Value) -> Value:
    """float32 to float16 in the low half of 32 bits, by the machine."""
    builder, result = value.builder, with_scalar(value.type, types.int32)
    sixteen, half = _sixteen(value)
    return value.new(
        result, builder.zext(builder.bitcast(builder.fptrunc(value.ir, half), sixteen), llvm(result))
    )


def _float16_to_float32(h: Any) -> Any:
    sign, rest = (h & 0x8000) << 16, (h & 0x7FFF) << 13
    # as a float32 this is 2^-112 too small, subnormals included; infinities and NaN come out finite
    x = from_bits(rest) * 2.0**112
    x = where(x < 65536.0, x, from_bits(rest | 0x7F800000))
    return from_bits(bits(x) | sign)


def _float32_to_float16(x: Any) -> Any:
    b = bits(x)
    sign = (b >> 16) & 0x8000
    size = abs(x)
    # below the smallest normal: adding a number whose last place is the smallest subnormal rounds to it
    tiny = bits(size + 0.5) - 0x3F000000
    normal = ((bits(size) + 0xFFF + ((bits(size) >> 13) & 1)) >> 13) - (112 << 10)
    result = where(size < 2.0**-14, tiny, normal)
    result = where(size < 65520.0, result, 0x7C00)
    return where(x != x, 0x7E00, result) | sign


def _float32_to_bfloat16(x: Any) -> Any:
    b = bits(x)
    rounded = (b + 0x7FFF + ((b >> 16) & 1)) >> 16
    return where(x != x, 0x7FC0, rounded)


def from_half(kind: Any, value: Any) -> Any:
    """A half of `kind` in the low 16 bits, as float32: exact."""
    if kind.type != FLOAT16:
        return from_bits(value << 16)
    return _extended(value) if _hardware() else _float16_to_float32(value)


def to_half(kind: Any, value: Any) -> Any:
    """float32 as a half of `kind` in the low 16 bits: to nearest, ties to even, NaN to NaN."""
    if kind.type != FLOAT16:
        return _float32_to_bfloat16(value)
    return _truncated(value) if _hardware() else _float32_to_float16(value)
