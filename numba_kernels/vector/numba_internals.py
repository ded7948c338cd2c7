"""All that the package takes from Numba and llvmlite beside what they document: what a new release may break.

- ``numba.core.extending._Intrinsic``: its subclasses are found by jitted code and may be called with values, too, which
  what `numba.extending.intrinsic` returns may not.
- ``numba.core.cgutils``: places on a function's stack, functions of LLVM's by name, the parts of a tuple.
- ``codegen().magic_tuple()``: the only place where Numba says which machine it compiles for, NUMBA_CPU_NAME and
  NUMBA_CPU_FEATURES considered.
- ``numba.cpython.unsafe.tuple.tuple_setitem``: a tuple with another value at a place that is not known while compiling.
- ``numba.core.caching._Cache``, ``CompileResult._rebuild`` and ``_reduce``, ``serialize.dumps``: what a cache of one's
  own is, how compiled code is taken apart and put together; ``rtsys``: the run-time functions that such code needs.
- ``Dispatcher.compile`` and ``_compile_for_args``: all ways into a compilation; each dispatcher gets its own of both.
- ``compiler_lock.global_compiler_lock``: held while Numba compiles, and here over forks.
- ``numba.np.ufunc.parallel``: whether and with what Numba has started its threads; the pools are modules beside it.
- llvmlite writes a vector constant number by number; `Splat` overrides how, which halves the text of a kernel.
- llvmlite wants a function's result type before its code, which tells it; `set_result_type` replaces it.
- llvmlite's branches do not change where they lead to; `redirect` does that.
- llvmlite's blocks and instructions know where they belong (``parent``), and blocks may carry a mark.
"""

from collections.abc import Iterable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.caching import _Cache as Cache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.extending import _Intrinsic as Intrinsic
from numba.core.registry import cpu_target
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.np.ufunc import parallel as threading_layers

__all__ = ["Intrinsic", "Splat", "close", "is_closed", "llvm_function", "machine", "parts_of_tuple"]
__all__ += ["redirect", "set_result_type", "stack_place", "tuple_setitem"]
__all__ += ["Cache", "CompileResult", "dumps", "global_compiler_lock", "rtsys", "threading_layers"]


class Splat(ir.Constant):
    """A vector constant with one number in every lane, as LLVM writes it in short."""

    def __init__(self, vector: Any, number: Any) -> None:
        super().__init__(vector, None)
        self._text = f"splat ({number})"

    def _to_string(self) -> str:
        return f"{self.type} {self._text}"

    def _get_reference(self) -> str:
        return self._text


def stack_place(builder: Any, llvm_type: Any, count: int = 1) -> Any:
    """A pointer to room for so many of a type, for as long as the function that is written runs."""
    size = None if count == 1 else ir.Constant(ir.IntType(32), count)
    return cgutils.alloca_once(builder, llvm_type, size=size)


def llvm_function(builder: Any, function_type: Any, name: str) -> Any:
    """A function by its name, one of LLVM's own or one of C's, declared in the module that is written."""
    return cgutils.get_or_insert_function(builder.module, function_type, name)


def parts_of_tuple(builder: Any, value: Any) -> list[Any]:
    """LLVM's values of the parts of one of Numba's tuples."""
    parts: list[Any] = cgutils.unpack_tuple(builder, value)
    return parts


def machine() -> tuple[str, list[str]]:
    """(triple, features) of the machine that is compiled for."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, features.split(",")


def set_result_type(code: Any, result: Any) -> None:
    """Let a function that has no caller yet return something else than it was made for."""
    code.ftype = ir.FunctionType(result, code.ftype.args)
    code.type, code.return_value = code.ftype.as_pointer(), ir.ReturnValue(code, result)


def redirect(branch: Any, old: Any, new: Any) -> None:
    """Let a branch that leads to one block lead to another."""
    branch.operands[branch.operands.index(old)] = new


def close(blocks: Iterable[Any]) -> None:
    """Mark blocks of code, whose values are not to be used from now on."""
    for block in blocks:
        block.closed = True


def is_closed(value: Any) -> bool:
    """Whether LLVM's value was made in a closed block."""
    return getattr(getattr(value, "parent", None), "closed", False)
