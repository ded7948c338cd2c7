"""How the processor computes in a thread: its control word, as IEEE 754 has it by default while a kernel runs.

Other libraries set it, for the thread that calls them alone: subnormal numbers flushed to zero
(``torch.set_flush_denormal``, code built with ``-ffast-math``), another rounding, traps. A kernel that took the word as
it is would give other bits in the caller's part of an array than in those of other threads. So it is set at the
beginning of a kernel and set back at its end, in each thread; where it is as it should be, nothing is done.

Known of x86 (MXCSR) and AArch64 (FPCR); elsewhere the word is left as it is.
"""

from typing import Any

from llvmlite import ir
from numba import types

from .control import when
from .functions import traced
from .numba_internals import llvm_function, machine, stack_place

# MXCSR: all exceptions masked, to nearest, nothing flushed; the lowest six bits are flags that say what has happened.
_MXCSR_DEFAULT, _MXCSR_SETTINGS = 0x1F80, 0xFFC0
_WORD = ir.IntType(64)


def _is_arm(triple: str) -> bool:
    return triple.startswith(("aarch64", "arm64"))


def _call(builder: Any, name: str, result: Any, *given: Any) -> Any:
    """One of LLVM's functions, over which the compiler moves no access to memory."""
    function_type = ir.FunctionType(result, [value.type for value in given])
    builder.fence("seq_cst", "singlethread")  # for the compiler alone: no instruction
    called = builder.call(llvm_function(builder, function_type, name), given)
    builder.fence("seq_cst", "singlethread")
    return called


def _read(builder: Any, triple: str) -> Any:
    if _is_arm(triple):
        return _call(builder, "llvm.aarch64.get.fpcr", _WORD)
    place = stack_place(builder, ir.IntType(32))
    _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(place, ir.IntType(8).as_pointer()))
    return builder.zext(builder.load(place), _WORD)


def _write(builder: Any, triple: str, word: Any) -> None:
    if _is_arm(triple):
        _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), word)
        return
    place = stack_place(builder, ir.IntType(32))
    builder.store(builder.trunc(word, ir.IntType(32)), place)
    _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(place, ir.IntType(8).as_pointer()))


def _is_known(triple: str) -> bool:
    return triple.startswith(("x86", "i")) or _is_arm(triple)


def _differs(word: Any, triple: str) -> Any:
    """Whether a control word is not the default."""
    return word != 0 if _is_arm(triple) else (word & _MXCSR_SETTINGS) != _MXCSR_DEFAULT


@traced
def default_arithmetic(like: Any) -> Any:
    """Set the control word to its default; what it was, for `restore_arithmetic`."""
    triple, _ = machine()
    if not _is_known(triple):
        return like.constant(0, types.int64)
    word = like.new(types.int64, _read(like.builder, triple))
    with when(_differs(word, triple)):
        default = 0 if _is_arm(triple) else _MXCSR_DEFAULT
        _write(word.builder, triple, ir.Constant(_WORD, default))
    return word


@traced
def restore_arithmetic(word: Any) -> None:
    """Set the control word to what it was."""
    triple, _ = machine()
    if _is_known(triple):
        with when(_differs(word, triple)):
            _write(word.builder, triple, word.ir)
