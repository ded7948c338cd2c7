"""What the terminal says when a command cannot do its work: the one place that turns errors into a line."""

import sys
from typing import Any

from .terminal.output import OutputError
from .terminal.visible import visible

# Written for the person who called: what was expected, what came, what to do.
_EXPECTED = (ValueError, TypeError, LookupError, OSError, ImportError, OutputError)
# Of these, the ones that Python itself raises for a mistake of ours.
_DEFECTS = (KeyError, IndexError, ImportError, ModuleNotFoundError)


def explain(error: BaseException) -> str | None:
    """Return the one line that tells the user what went wrong, or None where a traceback is wanted."""
    if isinstance(error, MemoryError):
        return "expected enough memory for this (there is none left); take a smaller model or fewer rows"
    if hasattr(error, "format_message"):  # a usage error of the command line parser
        return _one_line(error.format_message()).rstrip(".") + _hint(error)
    if type(error) is RuntimeError and "(got " in str(
        error
    ):  # of a place that is wrong: a compiler that is turned off
        return _one_line(str(error))
    if not isinstance(error, _EXPECTED) or type(error) in _DEFECTS:
        return None
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{error.filename}: "
        return _one_line(where + error.strerror.lower())
    return _one_line(str(error)) or type(error).__name__


def repeat_lost_interrupt(lost: "sys.UnraisableHookArgs") -> None:
    """Interrupt again when a KeyboardInterrupt got lost: a hook for `sys.unraisablehook`.

    While a kernel is compiled, the first Python code to run after Ctrl-C may be a callback of the compiler,
    and what a callback raises goes no further.
    """
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    from _thread import interrupt_main
    from threading import Timer

    # Not at once, that is still inside the callback.
    again = Timer(0.05, interrupt_main)
    again.daemon = True
    again.start()


def _hint(usage_error: Any) -> str:
    context = getattr(usage_error, "ctx", None)
    return f" (try '{context.command_path} --help')" if context else ""


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))
