"""A few rows side by side: one row to each lane of a vector.

What a row comes to (its maximum, its sum) is at first spread over the lanes of a vector. Bringing the lanes of one row
together takes a chain of dependent steps; for as many rows as a vector has lanes it takes hardly more instructions, no
waiting, and what follows for each row (a reciprocal, a logarithm) is then done for all of them in one go.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from ..numerics.sums import AnchoredSum, LaneSums, two_sum
from ..vector import (
    VECTOR_BYTES,
    Value,
    compute_kind,
    insert,
    itemsize,
    join,
    lanes,
    load,
    load_scalar,
    shuffle,
    splat,
    split,
    store,
    store_scalar,
    where,
)
from ..vector.memory import read, stack_address, write
from ..vector.types import vector_of

Vectors = tuple[Any, ...]
Combine = Callable[..., Vectors]


class PerRow:
    """A number for each of a few rows, ``numbers[row]``: the lanes of a vector, on the stack."""

    def __init__(self, numbers: Value) -> None:
        self._kind, self._lanes = numbers.constant(0, numbers.scalar), numbers.lanes
        self._address = stack_address(numbers, numbers.type)
        self.all = numbers

    @property
    def all(self) -> Any:
        """The numbers of all rows."""
        return read(self._kind, self._address, self._lanes)

    @all.setter
    def all(self, numbers: Value) -> None:
        write(self._kind, self._address, numbers)

    def __getitem__(self, row: Any) -> Any:
        return load_scalar(self._kind, self._address + row * itemsize(self._kind))

    def __setitem__(self, row: Any, number: Any) -> None:
        store_scalar(self._kind, self._address + row * itemsize(self._kind), number)


class _VectorPerRow:
    """A vector of `kind` for each of a few rows, on the stack."""

    def __init__(self, kind: Any, rows: int) -> None:
        self._kind, self._rows = kind, rows
        self._address = stack_address(kind, vector_of(kind.type), rows)

    def __setitem__(self, row: Any, vector: Any) -> None:
        store(self._kind, self._address, vector, row)

    @property
    def all(self) -> list[Any]:
        """The vectors of all rows."""
        return [load(self._kind, self._address, row) for row in range(self._rows)]


def reduced(rows: list[Vectors], combine: Combine) -> Vectors:
    """Lane i of the result: the lanes of row i combined pairwise, the lower half of them with the upper half."""
    count = rows[0][0].lanes
    each = count // 2
    while each:
        lower = [i for i in range(2 * count) if i // each % 2 == 0]
        upper = [i + each for i in lower]
        rows = [
            combine(
                *(shuffle(x, y, lower) for x, y in zip(a, b, strict=True)),
                *(shuffle(x, y, upper) for x, y in zip(a, b, strict=True)),
            )
            for a, b in zip(rows[::2], rows[1::2], strict=True)
        ]
        each //= 2
    return rows[0]


class ExtremesPerRow:
    """The maximum and the minimum of each of a few rows; a NaN may be passed over."""

    def __init__(self, kind: Any) -> None:
        self._high, self._low = (_VectorPerRow(compute_kind(kind), lanes(kind)) for _ in range(2))

    def __setitem__(self, row: Any, vectors: Vectors) -> None:
        """Take vectors that lead to the maximum and the minimum of a row."""
        self._high[row], self._low[row] = vectors

    @property
    def all(self) -> tuple[Any, Any]:
        """The maxima and the minima of all rows."""
        (maxima,) = reduced([(v,) for v in self._high.all], lambda a, b: (where(a > b, a, b),))
        (minima,) = reduced([(v,) for v in self._low.all], lambda a, b: (where(a < b, a, b),))
        return maxima, minima


class SumPerRow:
    """The sum of each of a few rows, in float64."""

    def __init__(self, kind: Any) -> None:
        self._real = kind.constant(0.0, types.float64)
        self._high, self._low = (_VectorPerRow(self._real, lanes(kind)) for _ in range(2))
        # float32 has twice as many lanes, and sums of float32 lose nothing in float64
        self._single = lanes(kind) > lanes(self._real)

    def _keep(self, row: Any, high: Any, low: Any) -> None:
        self._high[row] = high
        if not self._single:
            self._low[row] = low

    def __setitem__(self, row: Any, total: AnchoredSum | LaneSums) -> None:
        """Take the sum of a row."""
        high, low = total.per_lane()
        if high.lanes * itemsize(self._real) > VECTOR_BYTES:
            a, b = split(high)
            high = a + b
        self._keep(row, high, low)

    def set_pair(self, row: Any, high: Any, low: Any) -> None:
        """Take the sum of a row as a float64 pair of numbers."""
        zero = self._real.constant(0.0, vector_of(types.float64))
        self._keep(row, insert(zero, 0, high), insert(zero, 0, low))

    @property
    def all(self) -> tuple[Any, Any]:
        """The sums of all rows as float64 vectors (high, low)."""
        highs, each = self._high.all, lanes(self._real)
        if not self._single:
            high, low = reduced(list(zip(highs, self._low.all, strict=True)), _add_pairs)
            return high, low
        parts = [
            reduced([(v,) for v in part], lambda a, b: (a + b,))[0] for part in (highs[:each], highs[each:])
        ]
        high = join(*parts)
        return high, splat(high, 0.0)


def _add_pairs(high: Any, low: Any, high2: Any, low2: Any) -> Vectors:
    total, error = two_sum(high, high2)
    return total, low + low2 + error
