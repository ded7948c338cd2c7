"""The one place where Numba's options are chosen.

These ways to compile, and nothing else in the package calls Numba's decorators:

- `helper`: a small function that other jitted functions call. Never cached by itself: Numba inlines it into its callers
  before it compiles them, so that what it calls is not optimised and emitted once more for its sake.
- `shared`: the same for a function that Python calls as well, uncompiled.
- `kernel`: a function that Python calls with addresses and sizes; releases the GIL; cached on disk.
- `small_kernel`: one that is done before another thread could make use of the GIL, and keeps it.
- `by_type`: what stands for a function of Python's in a user's jitted function.

- `parallel_kernel`: one with a `prange`. There is one in the package, in `shares`, which calls kernels by their
  addresses: what stands in such a loop itself Numba optimises three times and translates twice.

Options, and why:

- ``fastmath=False`` everywhere, and stated: a helper that does not state it takes the flags of its first caller,
  a user's ``fastmath=True`` included. What may be fused is written as a fused operation (`vector.fma`), what may be
  reassociated is written as several accumulators; the result's bits do not depend on the compiler's mood.
- ``error_model="numpy"``: a division by zero gives inf or NaN, not a branch and an exception in the middle of a loop.
- ``nogil=True``: kernels touch no Python object, so other threads may run.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
from numba import types

from ..vector import traced
from ..vector.numba_internals import global_compiler_lock
from .cache import enable_cache, identity
from .interrupts import uninterrupted

_OPTIONS: Any = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
# What only jitted functions call needs no way in from Python or C.
_INNER: Any = _OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _distinct(function: Callable[..., Any], maker: Any = None) -> Callable[..., Any]:
    """Give a function that is made anew for each operator a name of its own.

    Numba names machine code by qualified name, types and a number that starts anew in every process. Two functions made
    by one line of code would take each other's place where a process loads both from the disk cache.
    """
    if function.__closure__ or maker is not None:
        digest = hashlib.sha256(repr((identity(function), maker)).encode()).hexdigest()[:12]
        function.__qualname__ = f"{function.__qualname__}_{digest}"
    return function


def helper(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of the jitted functions that call it."""
    return numba.njit(inline="always", **_INNER)(_distinct(function))


@traced
def keep_alive(owner: Any) -> None:
    """Keep an array's memory until here: Numba lets go of an array after its last use by name."""


def shared(function: Callable[..., Any]) -> Any:
    """A function of Python's that jitted code can call, too."""
    made: Any = numba.extending.register_jitable(**_INNER)
    return made(function)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` for calls from Python, with the disk cache."""
    return enable_cache(numba.njit(**_OPTIONS)(_distinct(function)))


def small_kernel(function: Callable[..., Any]) -> Any:
    """The same for what is done so soon that other threads need not run."""
    return enable_cache(numba.njit(**_OPTIONS | {"nogil": False})(_distinct(function)))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """A kernel with a `prange` in it."""
    return enable_cache(numba.njit(parallel=True, **_OPTIONS)(function))


def c_function(dispatcher: Any, parameters: int) -> int:
    """The address of the C function of a kernel that takes so many whole numbers, compiled if need be."""
    with uninterrupted(), global_compiler_lock:
        compiled = dispatcher.get_compile_result(types.int64(*(types.int64,) * parameters))
        place: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
    return place


def by_type(stub: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let the types of its arguments choose the implementation of `stub` inside jitted code.

    The decorated function receives Numba types and returns the Python function to compile for them, or None.
    """
    overload: Any = numba.extending.overload(stub, jit_options=_INNER, strict=False)

    def decorate(choose: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(choose)
        def chosen(*arguments: Any, **named: Any) -> Any:
            implementation = choose(*arguments, **named)
            maker = (stub.__module__, stub.__qualname__, str(arguments), str(named))
            return None if implementation is None else _distinct(implementation, maker)

        result: Callable[..., Any] = overload(chosen)
        return result

    return decorate
