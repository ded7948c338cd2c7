"""The k best numbers seen so far, as a heap with the worst of them on top.

It lies in two arrays, of values and of their indices in the row; in these it is sorted in the end, the best first. Of
equal numbers the one with the lower index is better.
"""

from typing import Any, NamedTuple

from ..vector import Variable, itemsize, load_scalar, loop, outlined, store_scalar, when, where
from .ranks import rank_of


class Heap(NamedTuple):
    """Where the values and their indices lie, and how many there are."""

    kind: Any
    values: Any
    indices: Any
    size: Any

    def __getitem__(self, i: Any) -> tuple[Any, Any]:
        value = load_scalar(self.kind, self.values + i * itemsize(self.kind))
        return value, load_scalar(self.size, self.indices + i * 8)

    def __setitem__(self, i: Any, numbers: tuple[Any, Any]) -> None:
        store_scalar(self.kind, self.values + i * itemsize(self.kind), numbers[0])
        store_scalar(self.size, self.indices + i * 8, numbers[1])

    @property
    def worst(self) -> Any:
        """The value on top."""
        return self[self.size.constant(0)][0]

    def order(self) -> None:
        """Make a heap of what lies in the arrays."""
        half = self.size // 2
        with loop(0, half) as i:
            _sift(*self, half - 1 - i, *self[half - 1 - i])

    def replace_worst(self, value: Any, index: Any) -> None:
        """Take a better number in place of the one on top."""
        _sift(*self, self.size.constant(0), value, index)

    def sort(self) -> None:
        """Sort the arrays, the best first."""
        top = self.size.constant(0)
        with loop(1, self.size) as i:
            last = self.size - i
            value, index = self[last]
            self[last] = self[top]
            _sift(self.kind, self.values, self.indices, last, top, value, index)


def _is_worse(value: Any, index: Any, value2: Any, index2: Any) -> Any:
    rank, rank2 = rank_of(value), rank_of(value2)
    return (rank < rank2) | ((rank == rank2) & (index > index2))


@outlined
def _sift(kind: Any, values: Any, indices: Any, size: Any, start: Any, value: Any, index: Any) -> None:
    """Put a number where there is a hole, at `start` or below: what is worse comes up."""
    heap, hole = Heap(kind, values, indices, size), Variable(start)
    with loop(start, size) as step:
        left = 2 * hole.value + 1
        step.leave_if(left >= size)
        child, right = Variable(left), left + 1
        with when(right < size):
            child.value = where(_is_worse(*heap[right], *heap[left]), right, left)
        step.leave_if(_is_worse(value, index, *heap[child.value]))
        heap[hole.value] = heap[child.value]
        hole.value = child.value
    heap[hole.value] = value, index
