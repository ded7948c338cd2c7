"""NumPy's own arithmetic around kernels, done as kernels compute (see `vector/control_word.py`)."""

from types import TracebackType
from typing import Any

import numpy as np

from ..vector import default_arithmetic, restore_arithmetic
from .jit import small_kernel


@small_kernel
def _set_default(like: Any) -> Any:
    return default_arithmetic(like)


@small_kernel
def _restore(word: Any) -> Any:
    restore_arithmetic(word)
    return word


class own_arithmetic:  # noqa: N801  # called like a function, as np.errstate
    """``with own_arithmetic():`` neither NumPy's error state nor the thread's control word shows."""

    __slots__ = ("_errors", "_word")

    def __enter__(self) -> None:
        self._word = _set_default(0)
        self._errors = np.errstate(all="ignore")
        self._errors.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._errors.__exit__(kind, error, where)
        _restore(self._word)
