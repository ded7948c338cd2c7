"""The two kernels of an operator for a dtype: one for a thread by itself, one for the shares of several."""

from collections.abc import Callable
from typing import Any

from ..vector import KINDS, default_arithmetic, restore_arithmetic
from .jit import helper, kernel
from .shares import Form, OverParts, neighbours, words_at


class Kernels:
    """The kernels (serial, parallel) of an operator, ``kernels[dtype]``, made for each dtype when first asked for.

    They take whole numbers alone: addresses, sizes and steps; the serial one returns 1. `cost`: how long a number takes
    in float32, that of a softmax as 1.
    """

    def __init__(self, make: Callable[[Any], tuple[Any, Any]], cost: float = 1.0) -> None:
        self._make, self.cost = make, cost
        self._made: dict[Any, tuple[Any, Any]] = {}

    def __getitem__(self, dtype: Any) -> tuple[Any, Any]:
        try:
            return self._made[dtype]
        except KeyError:
            return self._made.setdefault(dtype, self._make(KINDS[dtype]))

    def work(self, x: Any) -> float:
        """How much is to be done for an array, in numbers of a float32 softmax."""
        work: float = x.size * self.cost
        return work * FLOAT64 if x.itemsize == 8 else work


# A float64 number takes about so much longer than a float32 one.
FLOAT64 = 3.0


def over_rows(rows: Any, cost: float = 1.0) -> Kernels:
    """The kernels of ``rows(kind, dst, src, first, last, n)``.

    They take (dst, src, number of rows, n) and the parallel one a number of parts more, each done by one thread. A row
    is done whole, in one order, so that the bits of the result do not depend on the number of threads.
    """

    @helper
    def one_stage(kind: Any, dst: Any, src: Any, stage: Any, first: Any, last: Any, n: Any) -> Any:
        rows(kind, dst, src, first, last, n)

    return in_stages(one_stage, 1, cost)


def in_stages(
    work: Any, stages: int, cost: float, together: Callable[[int, int], int] = neighbours
) -> Kernels:
    """The kernels of ``work(kind, dst, src, stage, first, last, n)``, all of a stage before the next.

    They take what those of `over_rows` take; `together`: see `OverParts`.
    """

    def make(kind: Any) -> tuple[Any, Any]:
        def serial(dst: Any, src: Any, count: Any, n: Any) -> Any:
            before = default_arithmetic(count)
            for stage in range(stages):
                work(kind, dst, src, stage, 0, count, n)
            restore_arithmetic(before)
            return 1

        def for_form(form: Form) -> Any:
            words = words_at(form)

            def part(given: Any, stage: Any, first: Any, last: Any) -> Any:
                before = default_arithmetic(given)
                dst, src, n = words(given)
                work(kind, dst, src, stage, first, last, n)
                restore_arithmetic(before)
                return 1

            return kernel(part)

        return kernel(serial), OverParts(for_form, stages, together)

    return Kernels(make, cost)
