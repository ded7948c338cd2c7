"""What threads tell one another while they run: counters in memory."""

import ctypes
import os
from typing import Any

from llvmlite import binding, ir
from numba import types

from .numba_internals import llvm_function
from .types import llvm
from .values import Value

_YIELD = "softops_let_others_run"


def _name_the_systems_function() -> None:
    library: Any = ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)  # type: ignore[attr-defined,unused-ignore]
    function = library.SwitchToThread if os.name == "nt" else library.sched_yield
    binding.add_symbol(_YIELD, ctypes.cast(function, ctypes.c_void_p).value)


_name_the_systems_function()


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
