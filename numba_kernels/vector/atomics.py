"""What threads tell one another while they run, by counters in memory, and what they ask of the system."""

import ctypes
import os
import time
from typing import Any

from llvmlite import binding, ir
from numba import types

from .numba_internals import llvm_function, stack_place
from .types import llvm
from .values import Value

_YIELD, _CLOCK = "softops_let_others_run", "softops_clock"
_WORD = ir.IntType(64)


def _name_the_systems_functions() -> None:
    """Let kernels call them by one name everywhere, those from the disk cache too."""
    library: Any = ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)  # type: ignore[attr-defined,unused-ignore]
    yielding, clock = (
        (library.SwitchToThread, library.QueryPerformanceCounter)
        if os.name == "nt"
        else (library.sched_yield, library.clock_gettime)
    )
    for name, function in ((_YIELD, yielding), (_CLOCK, clock)):
        binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


_name_the_systems_functions()


def _counter(address: Value) -> Any:
    return address.builder.inttoptr(address.ir, llvm(types.int64).as_pointer())


def count_on(address: Value, number: Any) -> Value:
    """Add to the 64-bit counter at an aligned address, in one step; what it was before.

    What a thread wrote before is seen by whoever reads the counter thereafter.
    """
    added = number if isinstance(number, Value) else address.constant(number, types.int64)
    before = address.builder.atomic_rmw("add", _counter(address), added.ir, "seq_cst")
    return address.new(types.int64, before)


def counted(address: Value) -> Value:
    """The counter at an address, as it is now."""
    return address.new(types.int64, address.builder.load_atomic(_counter(address), "seq_cst", 8))


def let_others_run(like: Value) -> None:
    """Offer the processor to whoever waits for it."""
    function_type = ir.FunctionType(ir.IntType(32), [])
    like.builder.call(llvm_function(like.builder, function_type, _YIELD), [])


def now(like: Value) -> Any:
    """The time on a clock that never goes back: nanoseconds (on Windows its own ticks, of 100)."""
    builder = like.builder
    place = stack_place(builder, _WORD, 2)
    if os.name == "nt":
        function_type = ir.FunctionType(ir.IntType(32), [place.type])
        builder.call(llvm_function(builder, function_type, _CLOCK), [place])
        return like.new(types.int64, builder.load(place))
    number = ir.IntType(32)
    function_type = ir.FunctionType(number, [number, place.type])
    clock = ir.Constant(number, time.CLOCK_MONOTONIC)
    builder.call(llvm_function(builder, function_type, _CLOCK), [clock, place])
    seconds, rest = (builder.load(builder.gep(place, [ir.Constant(number, i)])) for i in range(2))
    whole: Any = like.new(types.int64, seconds)
    return whole * 1_000_000_000 + like.new(types.int64, rest)
