"""Loads and stores of vectors and numbers of every kind, halves among them.

`kind` is a scalar whose *type* says what lies in memory; addresses are integers, in bytes, and need no alignment. What
is loaded is of the computing type (float32 for halves), what is stored is rounded to nearest.
"""

from typing import Any

from llvmlite import ir
from numba import types

from .control import integer, loop
from .functions import traced
from .halves import from_half, to_half
from .numba_internals import llvm_function, stack_place
from .operations import is_half, itemsize, splat
from .types import computed_as, llvm, typed, vector_of, with_scalar
from .values import Value


def pointer(address: Value, numba_type: Any) -> Any:
    """LLVM's pointer to something of a type at an address."""
    return address.builder.inttoptr(address.ir, llvm(numba_type).as_pointer())


def read(kind: Any, address: Any, lanes: int) -> Any:
    """So many numbers at an address; integers as they are."""
    stored = typed(kind.type, lanes)
    value = address.builder.load(pointer(address, stored), align=1)
    if not is_half(kind):
        return address.new(stored, value)
    wide = with_scalar(stored, types.int32)
    return from_half(kind, address.new(wide, address.builder.zext(value, llvm(wide))))


def write(kind: Any, address: Any, value: Any) -> None:
    """Write numbers to an address."""
    stored = typed(kind.type, value.lanes)
    written = value.builder.trunc(to_half(kind, value).ir, llvm(stored)) if is_half(kind) else value.ir
    value.builder.store(written, pointer(address, stored), align=1)


def _nth(kind: Any, address: Any, i: Any) -> Any:
    return address if isinstance(i, int) and i == 0 else address + i * vector_bytes(kind)


def load(kind: Any, address: Any, i: Any = 0) -> Any:
    """The vector at `address`, or vector `i` of those that begin there."""
    return read(kind, _nth(kind, address, i), vector_of(kind.type).lanes)


def store(kind: Any, address: Any, value: Any, i: Any = 0) -> Any:
    """Write a vector to `address`, or to the place of vector `i` of those that begin there."""
    write(kind, _nth(kind, address, i), value)


def vector_bytes(kind: Any) -> Any:
    """How many bytes of memory the numbers of one vector take."""
    return vector_of(kind.type).lanes * itemsize(kind)


@traced
def load_scalar(kind: Any, address: Any) -> Any:
    """The one number at `address`."""
    return read(kind, address, 1)


@traced
def store_scalar(kind: Any, address: Any, value: Any) -> Any:
    """Write one number to `address`."""
    number = value if isinstance(value, Value) else address.constant(value, computed_as(kind.type))
    write(kind, address, splat(address.constant(0, computed_as(kind.type)), number))


def prefetch(address: Any, *, write: bool = False) -> None:
    """Tell the processor that the cache line at `address` will be read, or written; no memory need be there."""
    word, place = ir.IntType(32), address.builder.inttoptr(address.ir, ir.IntType(8).as_pointer())
    purpose, often, data = (ir.Constant(word, number) for number in (int(write), 3, 1))
    function_type = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
    function = llvm_function(address.builder, function_type, "llvm.prefetch.p0")
    address.builder.call(function, [place, purpose, often, data])


def _first_lanes(count: Any, lanes: int) -> Any:
    """The mask of the lanes below `count`."""
    index = ir.Constant(ir.VectorType(ir.IntType(64), lanes), list(range(lanes)))
    return count.new(typed(types.int64, lanes), index) < count


_ONE = ir.Constant(ir.IntType(32), 1)


def load_partial(kind: Any, address: Any, count: Any, fill: Any) -> Any:
    """The first `count` numbers at `address`, and `fill` in the other lanes, whose memory is not touched."""
    vector = vector_of(kind.type)
    fills = splat(address.constant(0, vector), fill)
    if is_half(kind):
        place = _on_stack(kind, fills)
        _copy(kind, address, place, count)
        return load(kind, place)
    mask = _first_lanes(integer(address, count), vector.lanes)
    return fills.new(
        vector, fills.call("llvm.masked.load", llvm(vector), pointer(address, vector), _ONE, mask, fills)
    )


def store_partial(kind: Any, address: Any, value: Any, count: Any) -> Any:
    """Write the first `count` lanes of a vector to `address`."""
    if is_half(kind):
        _copy(kind, _on_stack(kind, value), address, count)
        return
    mask = _first_lanes(integer(address, count), value.lanes)
    value.call("llvm.masked.store", ir.VoidType(), value, pointer(address, value.type), _ONE, mask)


def _on_stack(kind: Any, value: Any) -> Any:
    """The address of a vector of halves on the stack: few processors mask single halves in memory."""
    address = stack_address(value, typed(kind.type, value.lanes))
    store(kind, address, value)
    return address


def _copy(kind: Any, source: Any, target: Any, count: Any) -> None:
    """Copy `count` halves from an address to another."""
    with loop(source.constant(0), count) as i:
        offset = i * itemsize(kind)
        half = source.builder.load(pointer(source + offset, kind.type), align=1)
        source.builder.store(half, pointer(target + offset, kind.type), align=1)


# A scratch on the stack holds this many vectors: four vectors of lines, each shorter than a vector of 16.
STACK_VECTORS = 64
# So many vectors of a row are taken through one loop before the next: 4 KB, which stay in the nearest cache.
CHUNK = 64


def stack_address(like: Any, numba_type: Any, count: int = 1) -> Any:
    """The address of room for so many of a type, gone when the function that is written returns."""
    place = stack_place(like.builder, llvm(numba_type), count)
    return like.new(types.int64, like.builder.ptrtoint(place, ir.IntType(64)))


@traced
def stack_scratch(kind: Any) -> Any:
    """The address of memory for STACK_VECTORS vectors of the computing type, gone when the caller returns."""
    return stack_address(kind, vector_of(kind.type), STACK_VECTORS)


def chunk_scratch(kind: Any, beside: Any) -> Any:
    """The address of memory for CHUNK vectors of the computing type, to be written while `beside` is read.

    Half a page apart in the low twelve bits, by which processors tell at first whether a load waits for a store.
    """
    start = stack_address(kind, vector_of(kind.type), 2 * CHUNK)
    return start + (((beside - start) + 2048) & 4032)
