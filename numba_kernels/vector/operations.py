"""The few operations on vectors and numbers that kernels need beside Python's operators.

- `kind` is a scalar whose *type* says what lies in memory (float32, float64, a half as in `types`), not its value.
- `fma` is fused where the machine can (and rounds twice where it can't); `fma_exact` is fused everywhere, at the price
  of a library call where the machine can't; `sums.fma_near` is nearly as good everywhere, at the price of a few steps.
"""

from typing import Any

from llvmlite import ir
from numba import types

from .functions import traced
from .numba_internals import llvm_function, machine
from .types import INTEGER, computed_as, llvm, typed, vector_of, with_scalar
from .values import Value, alike

# Kinds ---------------------------------------------------------------------------------------------------------------


@traced
def lanes(kind: Any) -> Any:
    """How many numbers of `kind` one vector holds."""
    return vector_of(kind.type).lanes


@traced
def compute_kind(kind: Any) -> Any:
    """The kind that numbers of `kind` are computed in: float32 for halves, else the same."""
    return kind.constant(0, computed_as(kind.type))


def is_half(kind: Any) -> Any:
    """Whether `kind` is float16 or bfloat16, as a constant."""
    return bool(computed_as(kind.type) != kind.type)


@traced
def itemsize(kind: Any) -> Any:
    """How many bytes one number of `kind` takes."""
    return kind.type.bitwidth // 8


# Arithmetic, for vectors and numbers alike ---------------------------------------------------------------------------


def _fused(name: str, a: Any, b: Any, c: Any) -> Any:
    x, y, z = alike(a, b, c)
    return x.new(x.type, x.call(name, llvm(x.type), x, y, z))


def fma(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the machine has a fused multiply-add."""
    return _fused("llvm.fmuladd", a, b, c)


def fma_exact(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""
    return _fused("llvm.fma", a, b, c)


def multiply_long(a: Any, b: Any) -> Any:
    """(high, low): the halves of the product of two integers, taken as not negative, in twice their bits."""
    x, y = alike(a, b)
    builder, bits = x.builder, x.scalar.bitwidth
    long = ir.IntType(2 * bits)
    product = builder.mul(builder.zext(x.ir, long), builder.zext(y.ir, long))
    high = builder.lshr(product, ir.Constant(long, bits))
    return tuple(x.new(x.type, builder.trunc(half, llvm(x.type))) for half in (high, product))


def extended(value: Any) -> Any:
    """Integers of 32 bits, taken as not negative, in 64 bits each."""
    result = with_scalar(value.type, types.int64)
    return value.new(result, value.builder.zext(value.ir, llvm(result)))


def halves_of(value: Any) -> Any:
    """Integers of 64 bits as twice as many of 32 bits, as they lie in memory."""
    result = typed(types.int32, 2 * value.lanes)
    return value.new(result, value.builder.bitcast(value.ir, llvm(result)))


def sqrt(value: Any) -> Any:
    """The square root of floats, rounded to nearest."""
    return value.new(value.type, value.call("llvm.sqrt", llvm(value.type), value))


def fuses() -> bool:
    """Whether `fma` is known to round once on the machine that is compiled for."""
    triple, features = machine()
    return not triple.startswith(("x86", "i")) or "+fma" in features


def _cast(value: Value, scalar: Any) -> Value:
    """A number as one of another type."""
    builder, source, target = value.builder, value.type, llvm(scalar)
    if source == scalar:
        return value
    if source in INTEGER:
        wider = scalar.bitwidth > source.bitwidth
        return value.new(scalar, (builder.fpext if wider else builder.fptrunc)(value.ir, target))
    if scalar in INTEGER:
        return value.new(scalar, builder.sitofp(value.ir, target))
    wider = scalar.bitwidth > source.bitwidth
    return value.new(scalar, (builder.sext if wider else builder.trunc)(value.ir, target))


def splat(like: Any, value: Any) -> Any:
    """A vector like `like` with `value`, converted to its scalar type, in every lane; a number for a number."""
    if not isinstance(value, Value):
        return like.constant(value)
    number = _cast(value, like.scalar)
    return number.spread(like.lanes) if like.lanes > 1 else number


def full(kind: Any, value: Any) -> Any:
    """A vector of numbers as `kind` is computed, with `value` in every lane."""
    return splat(kind.constant(0, vector_of(kind.type)), value)


def where(mask: Any, a: Any, b: Any) -> Any:
    """Lane by lane `a` where the mask is set, else `b`."""
    x, y = alike(a, b)
    return x.new(x.type, x.builder.select(mask.ir, x.ir, y.ir))


def unordered(a: Any, b: Any) -> Any:
    """Where one of two vectors is NaN."""
    return a.new(with_scalar(a.type, types.boolean), a.builder.fcmp_unordered("uno", a.ir, b.ir))


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two integers. (Numba compiles its `min` as a function of its own.)"""
    x, y = alike(a, b)
    return where(x < y, x, y)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two integers."""
    x, y = alike(a, b)
    return where(x > y, x, y)


def bits(value: Any) -> Any:
    """The bits of floats as integers."""
    result = with_scalar(value.type, INTEGER[value.scalar])
    return value.new(result, value.builder.bitcast(value.ir, llvm(result)))


_REAL = {integer: real for real, integer in INTEGER.items()}


def from_bits(value: Any) -> Any:
    """The floats that have these bits."""
    result = with_scalar(value.type, _REAL[value.scalar])
    return value.new(result, value.builder.bitcast(value.ir, llvm(result)))


def widen(value: Any) -> Any:
    """Floats as float64, lane by lane."""
    result = with_scalar(value.type, types.float64)
    return value if result == value.type else value.new(result, value.builder.fpext(value.ir, llvm(result)))


def narrow(like: Any, value: Any) -> Any:
    """float64 as the float type that `like` (a vector, a number or a kind) is computed in, rounded to nearest."""
    result = with_scalar(value.type, computed_as(like.scalar))
    return value if result == value.type else value.new(result, value.builder.fptrunc(value.ir, llvm(result)))


# Across lanes --------------------------------------------------------------------------------------------------------


def shuffle(a: Any, b: Any, order: list[int]) -> Any:
    """The lanes of two vectors, numbered through, in another order."""
    positions = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return a.new(typed(a.scalar, len(order)), a.builder.shuffle_vector(a.ir, b.ir, positions))


def split(value: Any) -> Any:
    """The lower and the upper half of a vector; of two lanes, two numbers."""
    count = value.lanes // 2
    if count == 1:
        return extract(value, 0), extract(value, 1)
    return shuffle(value, value, list(range(count))), shuffle(value, value, list(range(count, 2 * count)))


def _index(value: Any, index: Any) -> Any:
    return index.ir if isinstance(index, Value) else ir.Constant(ir.IntType(64), index)


def insert(value: Any, index: Any, number: Any) -> Any:
    """A vector with another number in lane `index`."""
    return value.new(value.type, value.builder.insert_element(value.ir, number.ir, _index(value, index)))


def extract(value: Any, index: Any) -> Any:
    """The number in lane `index`."""
    return value.new(value.scalar, value.builder.extract_element(value.ir, _index(value, index)))


def join(low: Any, high: Any) -> Any:
    """Two vectors, or two numbers, as one vector."""
    if low.lanes > 1:
        return shuffle(low, high, list(range(2 * low.lanes)))
    pair = low.new(typed(low.scalar, 2), ir.Constant(llvm(typed(low.scalar, 2)), ir.Undefined))
    return insert(insert(pair, 0, low), 1, high)


def register_lanes(like: Any) -> int:
    """How many lanes of a vector like `like` lie in one register, where registers are wide; at least half of them.

    A loop that holds many values goes through a vector in such pieces.
    """
    _, features = machine()
    return int(like.lanes) if "+avx512f" in features else int(like.lanes) // 2


def lookup4(table: Any, index: Any) -> Any:
    """Lane by lane one of the four integers that `table` repeats: the lowest two bits of `index` name it."""
    triple, features = machine()
    if triple.startswith("x86") and "+avx" in features:
        return _permuted(table, index, 512 if "+avx512f" in features else 256)
    entries = [shuffle(table, table, [k] * table.lanes) for k in range(4)]
    odd, upper = (index & 1) == 1, (index & 2) == 2
    return where(upper, where(odd, entries[3], entries[2]), where(odd, entries[1], entries[0]))


_PERMUTE = {512: "llvm.x86.avx512.vpermilvar.ps.512", 256: "llvm.x86.avx.vpermilvar.ps.256"}


def _permuted(table: Any, index: Any, width: int) -> Any:
    """`lookup4` by the processor's own permutation, for vectors of 8 lanes or more."""
    size = table.lanes * 32
    if size > width:
        return join(*(_permuted(a, b, width) for a, b in zip(split(table), split(index), strict=True)))
    numbers = from_bits(table)
    function_type = ir.FunctionType(llvm(numbers.type), [llvm(numbers.type), llvm(index.type)])
    permute = llvm_function(table.builder, function_type, _PERMUTE[size])
    return bits(numbers.new(numbers.type, table.builder.call(permute, [numbers.ir, index.ir])))


def first_lane(mask: Any) -> Any:
    """The index of the first set lane of a mask; the number of lanes where none is set."""
    builder, wide = mask.builder, ir.IntType(64)
    flags = builder.zext(builder.bitcast(mask.ir, ir.IntType(mask.lanes)), wide)
    bounded = mask.new(types.int64, builder.or_(flags, ir.Constant(wide, 1 << mask.lanes)))
    return mask.new(types.int64, bounded.call("llvm.cttz", wide, bounded, ir.Constant(ir.IntType(1), 0)))


def all_set(mask: Any) -> Any:
    """Whether every lane of a mask is set."""
    return mask.new(types.boolean, mask.call("llvm.vector.reduce.and", ir.IntType(1), mask))


def any_set(mask: Any) -> Any:
    """Whether a lane of a mask is set."""
    return mask.new(types.boolean, mask.call("llvm.vector.reduce.or", ir.IntType(1), mask))


def lane_index(like: Any) -> Any:
    """0, 1, 2 … as integers of the width of `like`."""
    result = with_scalar(like.type, INTEGER.get(like.scalar, like.scalar))
    return like.new(result, ir.Constant(llvm(result), list(range(like.lanes))))
