"""The few vector operations that kernels need, as intrinsics.

- `kind` is a scalar whose *type* says what lies in memory (float32 or float64); its value is not used.
- Addresses are integers, in bytes. Loads and stores need no alignment.
- `fma` is fused where the machine can (and rounds twice where it can't); `fma_exact` is fused everywhere, at the price
  of a library call where the machine can't; `sums.fma_near` is nearly as good everywhere, at the price of a few steps.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .jit import intrinsic
from .vector import (
    INTEGER,
    Vector,
    broadcast,
    call,
    computed_as,
    llvm,
    llvm_name,
    scalar_of,
    vector_of,
    with_scalar,
)

# Kinds ---------------------------------------------------------------------------------------------------------------


@intrinsic
def lanes(typingctx: Any, kind: Any) -> Any:
    """How many numbers of `kind` one vector holds."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), vector_of(kind).lanes)

    return types.int64(kind), codegen


@intrinsic
def computing(typingctx: Any, kind: Any) -> Any:
    """The kind that numbers of `kind` are computed in: float32 for halves, else the same."""
    work = computed_as(kind)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(llvm(work), 0)

    return work(kind), codegen


@intrinsic
def is_half(typingctx: Any, kind: Any) -> Any:
    """Whether `kind` is float16 or bfloat16, as a constant."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(1), int(computed_as(kind) != kind))

    return types.boolean(kind), codegen


@intrinsic
def itemsize(typingctx: Any, kind: Any) -> Any:
    """How many bytes one number of `kind` takes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), kind.bitwidth // 8)

    return types.int64(kind), codegen


# Arithmetic, for vectors and scalars alike ---------------------------------------------------------------------------


def _three(name: str) -> Callable[..., Any]:
    def typing(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return call(builder, f"llvm.{name}.{llvm_name(a)}", llvm(a), *args)

        return a(a, a, a), codegen

    return typing


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the machine has a fused multiply-add."""
    return _three("fmuladd")(typingctx, a, b, c)


@intrinsic
def fma_exact(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""
    return _three("fma")(typingctx, a, b, c)


@intrinsic
def fuses(typingctx: Any, like: Any) -> Any:
    """Whether `fma` is known to round once on the machine that is compiled for, as a constant."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        triple, _, features = context.codegen().magic_tuple()
        fused = not triple.startswith(("x86", "i")) or "+fma" in features.split(",")
        return ir.Constant(ir.IntType(1), int(fused))

    return types.boolean(like), codegen


@intrinsic
def splat(typingctx: Any, like: Any, value: Any) -> Any:
    """A vector like `like` with `value`, converted to its scalar type, in every lane; a scalar for a scalar."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        scalar = context.cast(builder, args[1], value, scalar_of(like))
        return broadcast(builder, scalar, like.lanes) if isinstance(like, Vector) else scalar

    return like(like, value), codegen


@intrinsic
def where(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """Lane by lane `a` where the mask is set, else `b`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return a(mask, a, a), codegen


@intrinsic
def bits(typingctx: Any, value: Any) -> Any:
    """The bits of floats as integers."""
    result = with_scalar(value, INTEGER[scalar_of(value)])

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], llvm(result))

    return result(value), codegen


@intrinsic
def from_bits(typingctx: Any, value: Any) -> Any:
    """The floats that have these bits."""
    real = {integer: real for real, integer in INTEGER.items()}[scalar_of(value)]
    result = with_scalar(value, real)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], llvm(result))

    return result(value), codegen


@intrinsic
def widen(typingctx: Any, value: Any) -> Any:
    """Floats as float64, lane by lane."""
    result = with_scalar(value, types.float64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[0] if result == value else builder.fpext(args[0], llvm(result))

    return result(value), codegen


@intrinsic
def narrow(typingctx: Any, like: Any, value: Any) -> Any:
    """float64 as the float type that `like` (a vector, a number or a kind) is computed in, rounded to nearest."""
    result = with_scalar(value, computed_as(scalar_of(like)))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[1] if result == value else builder.fptrunc(args[1], llvm(result))

    return result(like, value), codegen


# Across lanes --------------------------------------------------------------------------------------------------------


@intrinsic
def halves(typingctx: Any, value: Any) -> Any:
    """The lower and the upper half of a vector; of two lanes, two scalars."""
    count = value.lanes // 2
    result = Vector(value.scalar, count) if count > 1 else value.scalar

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def part(start: int) -> Any:
            if count == 1:
                return builder.extract_element(args[0], ir.Constant(ir.IntType(32), start))
            order = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(start, start + count)))
            return builder.shuffle_vector(args[0], args[0], order)

        return context.make_tuple(builder, sig.return_type, [part(0), part(count)])

    return types.UniTuple(result, 2)(value), codegen


# A scratch on the stack holds this many vectors: four vectors of lines, each shorter than a vector of 16.
STACK_VECTORS = 64


@intrinsic
def stack_scratch(typingctx: Any, kind: Any) -> Any:
    """The address of memory for STACK_VECTORS vectors of the computing type, gone when the caller returns."""
    vector = vector_of(kind)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = cgutils.alloca_once(builder, llvm(vector), size=ir.Constant(ir.IntType(32), STACK_VECTORS))
        return builder.ptrtoint(place, ir.IntType(64))

    return types.int64(kind), codegen


@intrinsic
def insert(typingctx: Any, value: Any, index: Any, number: Any) -> Any:
    """A vector with another number in lane `index`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.insert_element(args[0], args[2], args[1])

    return value(value, types.int64, value.scalar), codegen


@intrinsic
def lane(typingctx: Any, value: Any, index: Any) -> Any:
    """The number in lane `index`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(args[0], args[1])

    return value.scalar(value, types.int64), codegen


@intrinsic
def join(typingctx: Any, low: Any, high: Any) -> Any:
    """Two vectors, or two scalars, as one vector."""
    count = low.lanes if isinstance(low, Vector) else 1
    result = Vector(scalar_of(low), 2 * count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if count > 1:
            order = ir.Constant(ir.VectorType(ir.IntType(32), 2 * count), list(range(2 * count)))
            return builder.shuffle_vector(args[0], args[1], order)
        empty = ir.Constant(llvm(result), ir.Undefined)
        one = builder.insert_element(empty, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.insert_element(one, args[1], ir.Constant(ir.IntType(32), 1))

    return result(low, low), codegen


@intrinsic
def first_lane(typingctx: Any, mask: Any) -> Any:
    """The index of the first set lane of a mask; the number of lanes where none is set."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        flags = builder.bitcast(args[0], ir.IntType(mask.lanes))
        wide = builder.or_(builder.zext(flags, ir.IntType(64)), ir.Constant(ir.IntType(64), 1 << mask.lanes))
        return call(builder, "llvm.cttz.i64", ir.IntType(64), wide, ir.Constant(ir.IntType(1), 0))

    return types.int64(mask), codegen


@intrinsic
def all_set(typingctx: Any, mask: Any) -> Any:
    """Whether every lane of a mask is set."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return call(builder, f"llvm.vector.reduce.and.v{mask.lanes}i1", ir.IntType(1), args[0])

    return types.boolean(mask), codegen


@intrinsic
def lane_index(typingctx: Any, like: Any) -> Any:
    """0, 1, 2 … as integers of the width of `like`."""
    result = like.of(INTEGER.get(like.scalar, like.scalar))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(llvm(result), list(range(like.lanes)))

    return result(like), codegen
