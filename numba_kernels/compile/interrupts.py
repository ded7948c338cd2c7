"""Ctrl-C during a compilation: it comes when the compilation is over.

Numba and LLVM are not made to be left in the middle: of a compilation that an exception ends, parts stay registered,
and later ones fail or crash. So a compilation either is finished or has not begun when the interrupt is raised.
"""

import functools
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class uninterrupted:  # noqa: N801  # called like a function, as contextlib's
    """``with uninterrupted():`` signals with a handler in Python are handled when the block is over.

    Handlers run in the main thread alone: in another one there is nothing to do, nor in a block inside a block.
    """

    __slots__ = ("_came", "_handlers")
    _is_on = False

    def __enter__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: dict[int, FrameType | None] = {}
        if uninterrupted._is_on or threading.current_thread() is not threading.main_thread():
            return
        # SIGINT first, so that it is the last one to be given back
        numbers = sorted(signal.valid_signals(), key=lambda number: number != signal.SIGINT)
        handlers = [(number, signal.getsignal(number)) for number in numbers]
        try:
            for number, handler in handlers:
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
                    uninterrupted._is_on = True
        except ValueError:  # a subinterpreter
            self._handlers.clear()
        except BaseException:
            self._give_back()
            raise

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came[number] = frame

    def _give_back(self) -> None:
        uninterrupted._is_on = False
        while self._handlers:
            number, handler = next(reversed(self._handlers.items()))
            signal.signal(number, handler)
            self._handlers.pop(number, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        handlers = dict(self._handlers)
        try:
            self._give_back()
        finally:
            self._give_back()  # where a handler that was given back raised
        for number in list(self._came):
            self._came.pop(number)
            handlers[number](number, sys._getframe())


def without_interrupts(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that no signal ends in the middle."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        with uninterrupted():
            return function(*arguments, **options)

    return run
