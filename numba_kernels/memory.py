"""Loads and stores of vectors and numbers of every kind, halves among them.

`kind` is a scalar whose *type* says what lies in memory; addresses are integers, in bytes, and need no alignment. What
is loaded is of the computing type (float32 for halves), what is stored is rounded to nearest.
"""

from typing import Any

from llvmlite import ir
from numba import types

from .halves import from_half, to_half
from .jit import by_type, intrinsic
from .simd import insert, lane
from .vector import BFLOAT16, FLOAT16, Vector, broadcast, call, llvm, llvm_name, vector_of

_HALVES = (FLOAT16, BFLOAT16)


def _pointer(builder: Any, address: Any, pointee: Any) -> Any:
    return builder.inttoptr(address, pointee.as_pointer())


def _first_lanes(builder: Any, vector: Vector, count: Any) -> Any:
    """The mask of the lanes below `count`."""
    index = ir.Constant(ir.VectorType(ir.IntType(64), vector.lanes), list(range(vector.lanes)))
    return builder.icmp_signed("<", index, broadcast(builder, count, vector.lanes))


@intrinsic
def load_plain(typingctx: Any, kind: Any, address: Any) -> Any:
    """The vector at `address`."""
    vector = vector_of(kind)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[1], llvm(vector)), align=1)

    return vector(kind, types.int64), codegen


@intrinsic
def store_plain(typingctx: Any, kind: Any, address: Any, value: Any) -> Any:
    """Write a vector to `address`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(builder, args[1], llvm(value)), align=1)
        return context.get_dummy_value()

    return types.void(kind, types.int64, value), codegen


@intrinsic
def load_plain_number(typingctx: Any, kind: Any, address: Any) -> Any:
    """The one number at `address`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_pointer(builder, args[1], llvm(kind)), align=1)

    return kind(kind, types.int64), codegen


@intrinsic
def store_plain_number(typingctx: Any, kind: Any, address: Any, value: Any) -> Any:
    """Write one number to `address`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(builder, args[1], llvm(kind)), align=1)
        return context.get_dummy_value()

    return types.void(kind, types.int64, kind), codegen


@intrinsic
def load_plain_first(typingctx: Any, kind: Any, address: Any, count: Any, fill: Any) -> Any:
    """The first `count` numbers at `address`, and `fill` in the other lanes, whose memory is not touched."""
    vector = vector_of(kind)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(builder, args[1], llvm(vector))
        mask = _first_lanes(builder, vector, args[2])
        fills = broadcast(builder, args[3], vector.lanes)
        one = ir.Constant(ir.IntType(32), 1)
        return call(
            builder, f"llvm.masked.load.{llvm_name(vector)}.p0", llvm(vector), pointer, one, mask, fills
        )

    return vector(kind, types.int64, types.int64, kind), codegen


@intrinsic
def store_plain_first(typingctx: Any, kind: Any, address: Any, value: Any, count: Any) -> Any:
    """Write the first `count` lanes of a vector to `address`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(builder, args[1], llvm(value))
        mask = _first_lanes(builder, value, args[3])
        one = ir.Constant(ir.IntType(32), 1)
        call(builder, f"llvm.masked.store.{llvm_name(value)}.p0", ir.VoidType(), args[2], pointer, one, mask)
        return context.get_dummy_value()

    return types.void(kind, types.int64, value, types.int64), codegen


# Halves: sixteen bits in memory, integers of 32 bits on the way


def _sixteen(vector: bool) -> Any:
    """The intrinsic that loads one number of 16 bits, or a vector of them, into the low halves of 32."""

    def load_sixteen(typingctx: Any, kind: Any, address: Any) -> Any:
        result: Any = vector_of(kind).of(types.int32) if vector else types.int32

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            narrow = llvm(result.of(types.int16)) if vector else ir.IntType(16)
            return builder.zext(builder.load(_pointer(builder, args[1], narrow), align=1), llvm(result))

        return result(kind, types.int64), codegen

    return intrinsic(load_sixteen)


_load_sixteen, _load_sixteen_number = _sixteen(vector=True), _sixteen(vector=False)


@intrinsic
def _store_sixteen(typingctx: Any, kind: Any, address: Any, value: Any) -> Any:
    """The low halves of numbers of 32 bits, to `address`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        narrow = llvm(value.of(types.int16)) if isinstance(value, Vector) else ir.IntType(16)
        builder.store(builder.trunc(args[2], narrow), _pointer(builder, args[1], narrow), align=1)
        return context.get_dummy_value()

    return types.void(kind, types.int64, value), codegen


@intrinsic
def filled(typingctx: Any, kind: Any, value: Any) -> Any:
    """A vector for numbers of `kind` with `value` in every lane."""
    vector = vector_of(kind)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return broadcast(builder, args[1], vector.lanes)

    return vector(kind, vector.scalar), codegen


@intrinsic
def as_float32(typingctx: Any, value: Any) -> Any:
    """A number as float32."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[0]

    return types.float32(types.float32), codegen


def load(kind: Any, address: Any) -> Any:
    """The vector at `address`."""
    raise NotImplementedError


@by_type(load)
def _load(kind: Any, address: Any) -> Any:
    if kind in _HALVES:
        return lambda kind, address: from_half(kind, _load_sixteen(kind, address))
    return lambda kind, address: load_plain(kind, address)


def store(kind: Any, address: Any, value: Any) -> Any:
    """Write a vector to `address`."""
    raise NotImplementedError


@by_type(store)
def _store(kind: Any, address: Any, value: Any) -> Any:
    if kind in _HALVES:
        return lambda kind, address, value: _store_sixteen(kind, address, to_half(kind, value))
    return lambda kind, address, value: store_plain(kind, address, value)


def load_number(kind: Any, address: Any) -> Any:
    """The one number at `address`."""
    raise NotImplementedError


@by_type(load_number)
def _load_number(kind: Any, address: Any) -> Any:
    if kind in _HALVES:
        return lambda kind, address: from_half(kind, _load_sixteen_number(kind, address))
    return lambda kind, address: load_plain_number(kind, address)


def store_number(kind: Any, address: Any, value: Any) -> Any:
    """Write one number to `address`."""
    raise NotImplementedError


@by_type(store_number)
def _store_number(kind: Any, address: Any, value: Any) -> Any:
    if kind in _HALVES:
        return lambda kind, address, value: _store_sixteen(kind, address, to_half(kind, as_float32(value)))
    return lambda kind, address, value: store_plain_number(kind, address, value)


def load_first(kind: Any, address: Any, count: Any, fill: Any) -> Any:
    """The first `count` numbers at `address`, and `fill` in the other lanes, whose memory is not touched."""
    raise NotImplementedError


@by_type(load_first)
def _load_first(kind: Any, address: Any, count: Any, fill: Any) -> Any:
    if kind not in _HALVES:
        return lambda kind, address, count, fill: load_plain_first(kind, address, count, fill)

    def halves(kind: Any, address: Any, count: Any, fill: Any) -> Any:
        result = filled(kind, fill)
        for i in range(count):
            result = insert(result, i, load_number(kind, address + 2 * i))
        return result

    return halves


def store_first(kind: Any, address: Any, value: Any, count: Any) -> Any:
    """Write the first `count` lanes of a vector to `address`."""
    raise NotImplementedError


@by_type(store_first)
def _store_first(kind: Any, address: Any, value: Any, count: Any) -> Any:
    if kind not in _HALVES:
        return lambda kind, address, value, count: store_plain_first(kind, address, value, count)

    def halves(kind: Any, address: Any, value: Any, count: Any) -> Any:
        for i in range(count):
            store_number(kind, address + 2 * i, lane(value, i))

    return halves
