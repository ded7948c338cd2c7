"""Loads and stores of vectors and numbers of every kind, halves among them.

`kind` is a scalar whose *type* says what lies in memory; addresses are integers, in bytes, and need no alignment. What
is loaded is of the computing type (float32 for halves), what is stored is rounded to nearest.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .halves import from_half, to_half
from .operations import is_half, splat
from .trace import Value, traced
from .types import computed_as, llvm, typed, vector_of, with_scalar


def pointer(address: Value, numba_type: Any) -> Any:
    """LLVM's pointer to something of a type at an address."""
    return address.builder.inttoptr(address.ir, llvm(numba_type).as_pointer())


def _read(kind: Any, address: Any, lanes: int) -> Any:
    """What lies at an address, as it lies there; halves as integers of 32 bits with the number in the low half."""
    stored = typed(kind.type, lanes)
    value = address.builder.load(pointer(address, stored), align=1)
    if not is_half(kind):
        return address.new(stored, value)
    wide = with_scalar(stored, types.int32)
    return from_half(kind, address.new(wide, address.builder.zext(value, llvm(wide))))


def _write(kind: Any, address: Any, value: Any) -> None:
    stored = typed(kind.type, value.lanes)
    written = value.builder.trunc(to_half(kind, value).ir, llvm(stored)) if is_half(kind) else value.ir
    value.builder.store(written, pointer(address, stored), align=1)


@traced
def load(kind: Any, address: Any) -> Any:
    """The vector at `address`."""
    return _read(kind, address, vector_of(kind.type).lanes)


@traced
def store(kind: Any, address: Any, value: Any) -> Any:
    """Write a vector to `address`."""
    _write(kind, address, value)


@traced
def load_nth(kind: Any, address: Any, i: Any) -> Any:
    """Vector `i` of those that begin at `address`."""
    return load(kind, address + i * vector_bytes(kind))


@traced
def store_nth(kind: Any, address: Any, i: Any, value: Any) -> Any:
    """Write vector `i` of those that begin at `address`."""
    store(kind, address + i * vector_bytes(kind), value)


@traced
def vector_bytes(kind: Any) -> Any:
    """How many bytes of memory the numbers of one vector take."""
    return vector_of(kind.type).lanes * (kind.type.bitwidth // 8)


@traced
def load_number(kind: Any, address: Any) -> Any:
    """The one number at `address`."""
    return _read(kind, address, 1)


@traced
def store_number(kind: Any, address: Any, value: Any) -> Any:
    """Write one number to `address`."""
    number = value if isinstance(value, Value) else address.constant(value, computed_as(kind.type))
    _write(kind, address, splat(address.constant(0, computed_as(kind.type)), number))


@traced
def prefetch(address: Any) -> None:
    """Tell the processor that the cache line at `address` will be read; nothing happens where there is no memory."""
    integer, place = ir.IntType(32), address.builder.inttoptr(address.ir, ir.IntType(8).as_pointer())
    read, often, data = (ir.Constant(integer, number) for number in (0, 3, 1))
    function_type = ir.FunctionType(ir.VoidType(), [place.type, integer, integer, integer])
    function = cgutils.get_or_insert_function(address.builder.module, function_type, "llvm.prefetch.p0")
    address.builder.call(function, [place, read, often, data])


def _first_lanes(count: Any, lanes: int) -> Any:
    """The mask of the lanes below `count`."""
    index = ir.Constant(ir.VectorType(ir.IntType(64), lanes), list(range(lanes)))
    return count.new(typed(types.int64, lanes), index) < count


_ONE = ir.Constant(ir.IntType(32), 1)


@traced
def load_first(kind: Any, address: Any, count: Any, fill: Any) -> Any:
    """The first `count` numbers at `address`, and `fill` in the other lanes, whose memory is not touched."""
    vector = vector_of(kind.type)
    fills = splat(address.constant(0, vector), fill)
    if is_half(kind):
        place = _on_stack(kind, fills)
        _copy(kind, address, place, count)
        return load(kind, place)
    mask = _first_lanes(_integer(address, count), vector.lanes)
    return fills.new(
        vector, fills.call("llvm.masked.load", llvm(vector), pointer(address, vector), _ONE, mask, fills)
    )


@traced
def store_first(kind: Any, address: Any, value: Any, count: Any) -> Any:
    """Write the first `count` lanes of a vector to `address`."""
    if is_half(kind):
        _copy(kind, _on_stack(kind, value), address, count)
        return
    mask = _first_lanes(_integer(address, count), value.lanes)
    value.call("llvm.masked.store", ir.VoidType(), value, pointer(address, value.type), _ONE, mask)


def _integer(like: Any, number: Any) -> Any:
    return number if isinstance(number, Value) else like.constant(number)


def _on_stack(kind: Any, value: Any) -> Any:
    """The address of a vector of halves on the stack: few processors mask single halves in memory."""
    place = cgutils.alloca_once(value.builder, llvm(typed(kind.type, value.lanes)))
    address = value.new(types.int64, value.builder.ptrtoint(place, ir.IntType(64)))
    store(kind, address, value)
    return address


def _copy(kind: Any, source: Any, target: Any, count: Any) -> None:
    """Copy `count` halves from an address to another."""
    builder = source.builder
    with cgutils.for_range(builder, _integer(source, count).ir) as loop:
        offset = source.new(types.int64, loop.index) * (kind.type.bitwidth // 8)
        half = builder.load(pointer(source + offset, kind.type), align=1)
        builder.store(half, pointer(target + offset, kind.type), align=1)
