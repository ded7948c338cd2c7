"""The one place where Numba's options are chosen.

These ways to compile, and nothing else in the package calls Numba's decorators:

- `helper`: a small function that other jitted functions call. Never cached by itself: Numba inlines it into its callers
  before it compiles them, so that what it calls is not optimised and emitted once more for its sake.
- `shared`: the same for a function that Python calls as well, uncompiled.
- `kernel`: a function that Python calls with addresses and sizes; releases the GIL; cached on disk.
- `small_kernel`: one that is done before another thread could make use of the GIL, and keeps it.
- `by_type`: what stands for a function of Python's in a user's jitted function.

There is one `prange`, in `_over_parts`, which calls kernels by their addresses: what stands in such a loop itself Numba
optimises three times and translates twice.

Options, and why:

- ``fastmath=False`` everywhere, and stated: a helper that does not state it takes the flags of its first caller,
  a user's ``fastmath=True`` included. What may be fused is written as a fused operation (`vector.fma`), what may be
  reassociated is written as several accumulators; the result's bits do not depend on the compiler's mood.
- ``error_model="numpy"``: a division by zero gives inf or NaN, not a branch and an exception in the middle of a loop.
- ``nogil=True``: kernels touch no Python object, so other threads may run.
"""

import functools
import hashlib
from array import array
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
from llvmlite import ir
from numba import types

from ..vector import KINDS, default_arithmetic, load_scalar, restore_arithmetic, traced
from ..vector.numba_internals import global_compiler_lock
from .cache import enable_cache, identity
from .interrupts import uninterrupted

_OPTIONS: Any = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
# What only jitted functions call needs no way in from Python or C.
_INNER: Any = _OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

Numbers = int | tuple[int, ...]
Form = tuple[int, int, int]


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


def c_function(dispatcher: Any, parameters: int) -> int:
    """The address of the C function of a kernel that takes so many whole numbers, compiled if need be."""
    with uninterrupted(), global_compiler_lock:
        compiled = dispatcher.get_compile_result(types.int64(*(types.int64,) * parameters))
        place: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
    return place


@traced
def call_at(function: Any, numbers: Any) -> Any:
    """Call the C function at an address with whole numbers."""
    builder, word = function.builder, ir.IntType(64)
    pointer = builder.inttoptr(function.ir, ir.FunctionType(word, [word] * len(numbers)).as_pointer())
    return function.new(types.int64, builder.call(pointer, [number.ir for number in numbers]))


def _every_part(function: Any, given: Any, count: Any, parts: Any) -> Any:
    for part in numba.prange(parts):
        call_at(function, (given, count * part // parts, count * (part + 1) // parts))


_over_parts = enable_cache(numba.njit(parallel=True, **_OPTIONS)(_every_part))


class OverParts:
    """Spreads the lines of a kernel over threads, in as many parts as it is told.

    Called with ``dst, src, count, *layout, parts``, of which the first two may be several numbers each. ``make(form)``
    gives the kernel, which takes the address of all these but the count, a first line and a last one; see `words_at`.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[Form], Any]) -> None:
        self._make = make
        self._made: dict[Form, tuple[int, Any]] = {}

    def __call__(self, dst: Numbers, src: Numbers, count: int, *layout_and_parts: int) -> None:
        layout, parts = layout_and_parts[:-1], layout_and_parts[-1]
        to, targets = (dst, len(dst)) if isinstance(dst, tuple) else ((dst,), 0)
        source, sources = (src, len(src)) if isinstance(src, tuple) else ((src,), 0)
        form = (targets, sources, len(layout))
        known = self._made.get(form)
        if known is None:
            made = self._make(form)
            known = self._made[form] = c_function(made, 3), made  # the code lives as long as this
        given = array("q", (*to, *source, *layout))
        _over_parts(known[0], given.buffer_info()[0], count, parts)


def words_at(form: Form) -> Any:
    """What tells jitted code ``dst, src, *layout`` from the address that `OverParts` gives.

    `form`: how many numbers these are, 0 for one by itself.
    """

    @traced
    def words(given: Any) -> Any:
        numbers = [
            load_scalar(given, given + 8 * i) for i in range(max(form[0], 1) + max(form[1], 1) + form[2])
        ]
        parts = []
        for count in form[:2]:
            own, numbers = numbers[: max(count, 1)], numbers[max(count, 1) :]
            parts.append(tuple(own) if count else own[0])
        return *parts, *numbers

    return words


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

    They take (dst, src, number of rows, n) and the parallel one a number of parts more, each done by one thread. A row
    is done whole, in one order, so that the bits of the result do not depend on the number of threads.
    """

    def make(kind: Any) -> tuple[Any, Any]:
        def serial(dst: Any, src: Any, count: Any, n: Any) -> Any:
            before = default_arithmetic(count)
            rows(kind, dst, src, 0, count, n)
            restore_arithmetic(before)
            return 1

        def for_form(form: Form) -> Any:
            words = words_at(form)

            def part(given: Any, first: Any, last: Any) -> Any:
                before = default_arithmetic(given)
                dst, src, n = words(given)
                rows(kind, dst, src, first, last, n)
                restore_arithmetic(before)
                return 1

            return kernel(part)

        return kernel(serial), OverParts(for_form)

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
