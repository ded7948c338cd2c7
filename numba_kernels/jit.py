"""The one place where Numba's options are chosen.

Three ways to compile, and nothing else in the package calls Numba's decorators:

- `helper`: a small function that other jitted functions call. Never cached by itself: it is compiled into its callers.
- `kernel`: a function that Python calls with addresses and sizes; releases the GIL; cached on disk.
- `parallel_kernel`: the same with `prange`.

Options, and why:

- ``fastmath=False`` everywhere, and stated: a helper that does not state it takes the flags of its first caller,
  a user's ``fastmath=True`` included. What may be fused is written as a fused operation (`simd.fma`), what may be
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

from .arrays import KINDS
from .cache import enable_cache, identity
from .linked import LinkedCompiler

_OPTIONS: Any = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
# What only jitted functions call needs no way in from Python or C, and no machine code of its own.
_INNER: Any = _OPTIONS | {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": LinkedCompiler,
}


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
    """Compile `function` for use inside kernels; LLVM inlines it there."""
    return numba.njit(**_INNER)(_distinct(function))


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` for calls from Python, with the disk cache."""
    return enable_cache(numba.njit(**_OPTIONS)(_distinct(function)))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """Compile `function`, which uses `numba.prange`, for calls from Python, with the disk cache."""
    return enable_cache(numba.njit(parallel=True, **_OPTIONS)(_distinct(function)))


class Kernels:
    """The kernels (serial, parallel) of an operator, ``kernels[dtype]``, made for each dtype when first asked for.

    They take whole numbers alone: addresses, sizes and steps; the serial one returns 1.
    """

    def __init__(self, make: Callable[[Any], tuple[Any, Any]]) -> None:
        self._make = make
        self._made: dict[Any, tuple[Any, Any]] = {}

    def __getitem__(self, dtype: Any) -> tuple[Any, Any]:
        try:
            return self._made[dtype]
        except KeyError:
            return self._made.setdefault(dtype, self._make(KINDS[dtype]))


def over_rows(rows: Any) -> Kernels:
    """The kernels of ``rows(kind, dst, src, first, last, n)``.

    They take (dst, src, number of rows, n) and the parallel one a number of parts, each done by one thread. A row is
    done whole, in one order, so that the bits of the result do not depend on the number of threads.
    """

    def make(kind: Any) -> tuple[Any, Any]:
        def serial(dst: Any, src: Any, count: Any, n: Any) -> Any:
            rows(kind, dst, src, 0, count, n)
            return 1

        def parallel(dst: Any, src: Any, count: Any, n: Any, parts: Any) -> Any:
            for part in numba.prange(parts):
                rows(kind, dst, src, count * part // parts, count * (part + 1) // parts, n)

        return kernel(serial), parallel_kernel(parallel)

    return Kernels(make)


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
