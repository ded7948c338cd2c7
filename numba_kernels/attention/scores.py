"""The scores of a block of keys for a panel of queries: a row for each key, a lane for each query."""

from typing import Any, NamedTuple

from ..numerics.tanh import tanh_of
from ..products.panels import has_wide_registers
from ..products.tile import Rows, multiply, tile_rows
from ..vector import load, loop, minimum, splat, store, vector_bytes, when

# So many keys are in a block, which begins at a multiple of this: what a query comes to does not depend on others.
KEYS = 64


def widest(kind: Any) -> int:
    """How many vectors of queries a panel has where there are many."""
    return 2 if has_wide_registers(kind) else 1


class Block(NamedTuple):
    """`count` keys from the `first` on, and `queries` queries from the `query` on, in a panel."""

    work: Any
    """The computing type."""
    first: Any
    count: Any
    query: Any
    queries: Any
    vectors: int
    """How wide the panel is."""

    @property
    def row(self) -> int:
        """How many bytes the numbers of a key take."""
        return self.vectors * int(vector_bytes(self.work))

    def load(self, place: Any, key: Any) -> list[Any]:
        """The vectors of a key."""
        return [load(self.work, place + key * self.row, j) for j in range(self.vectors)]

    def store(self, place: Any, key: Any, vectors: list[Any]) -> None:
        """Write those of a key."""
        for j, vector in enumerate(vectors):
            store(self.work, place + key * self.row, vector, j)


def scores_room(kind: Any, queries: int) -> int:
    """How many numbers of scratch the scores of a block take, and what the last tile writes behind them."""
    return (KEYS + tile_rows(kind)) * queries


def write_scores(dst: Any, keys: Rows, panel: Any, depth: Any, softcap: Any, block: Block) -> None:
    """The products of the block's keys with the panel; of these softcap · tanh(score / softcap) where there is one."""
    work, taken = block.work, tile_rows(block.work)
    with loop(0, block.count, taken) as first:
        count = minimum(block.count - first, taken)
        sums = multiply(work, keys.at(first), count, panel, block.vectors, depth)
        for i, of_key in enumerate(sums):
            block.store(dst, first + i, of_key)
    with when(softcap > 0.0), loop(0, block.count) as key:
        capped = []
        for score in block.load(dst, key):
            cap = splat(score, softcap)
            capped.append(cap * tanh_of(score / cap))
        block.store(dst, key, capped)
