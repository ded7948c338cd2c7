"""float16 and bfloat16 to float32 and back, on the bits.

Halves travel as integers of 32 bits with the number in the low 16. float16 takes the machine's conversion where it has
one; the arithmetic one, which gives the same numbers, is for machines (and emulations of them) without.
"""

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target

from .jit import by_type, helper, intrinsic
from .simd import bits, from_bits, splat, where
from .vector import FLOAT16, Vector, llvm, with_scalar


@functools.cache
def _hardware() -> bool:
    """Whether the machine that is compiled for converts float16 by itself."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return "+f16c" in features.split(",") or not triple.startswith(("x86_64", "i686", "i386"))


@intrinsic
def _extend(typingctx: Any, value: Any) -> Any:
    """float16 in the low half of 32 bits to float32, by the machine."""
    result = with_scalar(value, types.float32)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sixteen, half = ir.IntType(16), ir.HalfType()
        if isinstance(value, Vector):
            sixteen, half = ir.VectorType(sixteen, value.lanes), ir.VectorType(half, value.lanes)
        return builder.fpext(builder.bitcast(builder.trunc(args[0], sixteen), half), llvm(result))

    return result(value), codegen


@intrinsic
def _truncate(typingctx: Any, value: Any) -> Any:
    """float32 to float16 in the low half of 32 bits, by the machine."""
    result = with_scalar(value, types.int32)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sixteen, half = ir.IntType(16), ir.HalfType()
        if isinstance(value, Vector):
            sixteen, half = ir.VectorType(sixteen, value.lanes), ir.VectorType(half, value.lanes)
        return builder.zext(builder.bitcast(builder.fptrunc(args[0], half), sixteen), llvm(result))

    return result(value), codegen


def _integer(method: str) -> Any:
    """An integer operation of LLVM for vectors and scalars (Numba's own widens scalars to 64 bits)."""

    def operation(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(builder, method)(*args)

        return a(a, a), codegen

    return intrinsic(operation)


_add, _sub, _and, _or, _up, _down = map(_integer, ("add", "sub", "and_", "or_", "shl", "lshr"))


@helper
def _float16_to_float32(h: Any) -> Any:
    sign = _up(_and(h, splat(h, 0x8000)), splat(h, 16))
    rest = _up(_and(h, splat(h, 0x7FFF)), splat(h, 13))
    # as a float32 this is 2^-112 too small, subnormals included; infinities and NaN come out finite
    x = from_bits(rest) * splat(from_bits(rest), 2.0**112)
    special = from_bits(_or(rest, splat(h, 0x7F800000)))
    x = where(x < splat(x, 65536.0), x, special)
    return from_bits(_or(bits(x), sign))


@helper
def _float32_to_float16(x: Any) -> Any:
    b = bits(x)
    sign = _and(_down(b, splat(b, 16)), splat(b, 0x8000))
    magnitude = _and(b, splat(b, 0x7FFFFFFF))
    size = from_bits(magnitude)
    # below the smallest normal: adding a number whose last place is the smallest subnormal rounds to it
    tiny = _sub(bits(size + splat(x, 0.5)), splat(b, 0x3F000000))
    odd = _and(_down(magnitude, splat(b, 13)), splat(b, 1))
    rounded = _add(_add(magnitude, splat(b, 0xFFF)), odd)
    normal = _sub(_down(rounded, splat(b, 13)), splat(b, 112 << 10))
    result = where(size < splat(x, 2.0**-14), tiny, normal)
    result = where(size < splat(x, 65520.0), result, splat(b, 0x7C00))
    result = where(x != x, splat(b, 0x7E00), result)
    return _or(result, sign)


@helper
def _float32_to_bfloat16(x: Any) -> Any:
    b = bits(x)
    odd = _and(_down(b, splat(b, 16)), splat(b, 1))
    rounded = _down(_add(_add(b, splat(b, 0x7FFF)), odd), splat(b, 16))
    return where(x != x, splat(b, 0x7FC0), rounded)


def from_half(kind: Any, value: Any) -> Any:
    """A half of `kind` in the low 16 bits, as float32: exact."""
    raise NotImplementedError


@by_type(from_half)
def _from_half(kind: Any, value: Any) -> Any:
    if kind != FLOAT16:
        return lambda kind, value: from_bits(_up(value, splat(value, 16)))
    if _hardware():
        return lambda kind, value: _extend(value)
    return lambda kind, value: _float16_to_float32(value)


def to_half(kind: Any, value: Any) -> Any:
    """float32 as a half of `kind` in the low 16 bits: to nearest, ties to even, NaN to NaN."""
    raise NotImplementedError


@by_type(to_half)
def _to_half(kind: Any, value: Any) -> Any:
    if kind != FLOAT16:
        return lambda kind, value: _float32_to_bfloat16(value)
    if _hardware():
        return lambda kind, value: _truncate(value)
    return lambda kind, value: _float32_to_float16(value)
