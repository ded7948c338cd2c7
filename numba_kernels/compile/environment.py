"""The processor's arithmetic while a kernel is compiled: its default, whatever is set in the thread.

A kernel's constants are computed then, in Python, and kept on disk for every later process.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

_ROOM = 64  # bytes: more than any fenv_t has


@functools.cache
def _c_functions() -> tuple[Any, Any, Any] | None:
    """C's fegetenv and fesetenv, and what the second takes for the default; None where they are not to be had."""
    try:
        if sys.platform == "darwin":
            library: Any = ctypes.CDLL(None)
            return (
                library.fegetenv,
                library.fesetenv,
                ctypes.byref(ctypes.c_char.in_dll(library, "_FE_DFL_ENV")),
            )
        library = ctypes.CDLL("libm.so.6")
        return library.fegetenv, library.fesetenv, ctypes.c_void_p(-1)
    except (OSError, AttributeError, ValueError):
        return None


def in_default_arithmetic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function during which the calling thread rounds to nearest and flushes nothing."""
    functions = _c_functions()
    if functions is None:
        return function
    get, set_to, default = functions

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        before = ctypes.create_string_buffer(_ROOM)
        get(before)
        set_to(default)
        try:
            return function(*arguments, **options)
        finally:
            set_to(before)

    return run
