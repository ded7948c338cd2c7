"""The loss of each row, which lies in blocks: what each block gives, and how that merges.

    of a block      its sums (see `row_sums`), Q = sum(q), L = sum(q * (log-sum of the block - x))
    of all blocks   Q = sum(Q), L = sum(L + Q * (log-sum of all - log-sum of the block))

q is what a class has of the loss: the weight of the label at the label, or see `losses.targets`. No term is negative
where no q is, so nothing cancels.
"""

from typing import Any, NamedTuple

import dask.array as da
import numpy as np

from ..arrays.addresses import Array, in_c_order
from ..arrays.inputs import as_floats
from ..compile.arithmetic import own_arithmetic
from ..log_sums.pieces import Sums, merged_sums, sums_of_piece, weights_of_pieces
from ..losses.cross_entropy import row_losses as losses_of_arrays
from ..losses.targets import Spread, Targets
from ..vector import VECTOR_BYTES
from .arguments import without
from .row_sums import sums_of
from .tasks import Tree, all_axes, of_blocks, starts, task

LOSSES = np.dtype(
    [("maximum", np.float64), ("others", np.float64), ("share", np.float64), ("loss", np.float64)]
)


class Problem(NamedTuple):
    """Scores of classes along an axis, and what is right of every row."""

    operator: str
    x: da.Array
    axis: int
    labels: da.Array | None
    """Of the rows, negative where ignored; None where probabilities are given."""
    counted: da.Array
    """The weight of every row in a mean, in float64."""
    weights: da.Array
    """Of the classes, in float64, in the blocks of `x`."""
    probabilities: da.Array | None
    """In the blocks of `x`."""
    smoothing: float

    @property
    def rows(self) -> tuple[int, ...]:
        """The axes of the rows."""
        return without(all_axes(self.x), self.axis)

    @property
    def is_spread(self) -> bool:
        return self.probabilities is not None or self.smoothing > 0

    @property
    def blocks(self) -> list[tuple[da.Array | None, tuple[int, ...]]]:
        """What a task is given beside a block of `x`; see `Block`."""
        return [
            (self.labels, self.rows),
            (self.counted, self.rows),
            (starts(self.x, self.axis), (self.axis,)),
            (self.weights, (self.axis,)),
            (self.probabilities, all_axes(self.x)),
        ]

    @property
    def options(self) -> dict[str, Any]:
        smoothing = self.smoothing, self.smoothing / max(self.x.shape[self.axis], 1)
        return {"operator": self.operator, "axis": self.axis, "smoothing": smoothing}


class Block(NamedTuple):
    """A block of a problem, its classes along the last axis."""

    x: Array
    labels: Array | None
    """Counted from the first class of the block; those of other blocks are beyond it, or negative."""
    ignored: Array | None
    counted: Array
    weights: Array
    probabilities: Array | None
    kept: float
    even: float

    @property
    def has_label(self) -> Array:
        """Of which rows the label is in the block."""
        if self.labels is None:
            return np.zeros(self.x.shape[:-1], bool)
        found: Array = (self.labels >= 0) & (self.labels < self.x.shape[-1])
        return found

    @property
    def places(self) -> tuple[Array, ...]:
        """Where in the block the labels are, of rows that have theirs here, in C order."""
        if self.labels is None:
            return ()
        rows = self.has_label
        return (*(np.nonzero(rows) if rows.ndim else ()), self.labels[rows])

    @property
    def own(self) -> Array:
        """The label's share in every row, beside the even one; 0 where the label is in another block."""
        return np.where(self.has_label, self.counted * self.kept, 0.0)

    def shares(self) -> Array:
        """The sum of q of every row."""
        if self.probabilities is None:
            own = self.own
            own += self.even * self.weights.sum()
            return own
        targets = self.probabilities.astype(np.float64) * self.kept + self.even
        shares: Array = np.sum(targets * self.weights, -1)
        return shares


def block_of(
    x: Array,
    labels: Array | None,
    counted: Array,
    begin: Array,
    weights: Array,
    probabilities: Array | None,
    operator: str,
    axis: int,
    smoothing: tuple[float, float],
) -> Block:
    """What a task was given."""
    return Block(
        np.moveaxis(as_floats(operator, x), axis, -1),
        None if labels is None else np.where(labels < 0, -1, labels - begin[0]),
        None if labels is None else labels < 0,
        counted,
        weights,
        None if probabilities is None else np.moveaxis(as_floats(operator, probabilities), axis, -1),
        1.0 - smoothing[0],
        smoothing[1],
    )


def row_losses(problem: Problem, tree: Tree) -> da.Array:
    """Records of every row, of length 1 along the classes."""
    axis = (problem.axis,)
    blocks = of_blocks(
        _losses_of_block, problem.x, *problem.blocks, dtype=LOSSES, axes=axis, **problem.options
    )
    return tree.merged(blocks, _merge, axis)


@task
def _losses_of_block(*given: Any, **options: Any) -> Array:
    block = block_of(*given, **options)
    sums = sums_of_piece(block.x)
    records = np.empty(sums.maximum.shape, LOSSES)
    records["maximum"], records["others"] = sums
    with own_arithmetic():
        if block.even or block.probabilities is not None:
            loss, share = _spread_losses(block), block.shares()
            share = share if block.ignored is None else np.where(block.ignored, 0.0, share)
        else:
            loss, share = _label_losses(block, sums), block.own
        # a class at −inf in a block of nothing else is far below any other block, see `_merge`
        records["loss"] = np.where(np.isneginf(sums.maximum), 0.0, loss)
        records["share"] = share
    return np.expand_dims(records, options["axis"])


def _label_losses(block: Block, sums: Sums) -> Array:
    losses, rows = np.zeros(sums.maximum.shape), block.has_label
    at_labels = block.x[block.places].astype(np.float64)
    losses[rows] = (np.log1p(sums.others[rows]) + (sums.maximum[rows] - at_labels)) * block.counted[rows]
    return losses


def _spread_losses(block: Block) -> Array:
    weights = np.append(block.weights, np.zeros(VECTOR_BYTES // 4))
    if block.probabilities is not None:
        spread = Spread(block.kept, block.even, weights, None, None, in_c_order(block.probabilities))
        return losses_of_arrays(
            Targets(block.x, block.x.ndim - 1, block.counted, np.zeros(0, np.int64), spread)
        )
    assert block.labels is not None
    # a row whose label is elsewhere has nothing of its own at whatever label
    labels = in_c_order(np.where(block.has_label, block.labels, 0), np.int64)
    spread = Spread(block.kept, block.even, weights, labels, in_c_order(block.own), None)
    return losses_of_arrays(Targets(block.x, block.x.ndim - 1, block.counted, labels, spread))


def _merge(records: Array) -> Array:
    sums = sums_of(records)
    whole = merged_sums(sums)
    weights, _ = weights_of_pieces(sums)
    result = np.empty(records.shape[:-1], LOSSES)
    result["maximum"], result["others"] = whole
    with own_arithmetic():
        share, loss = records["share"], records["loss"]
        above = _log_sums_above(sums, whole, weights)
        terms = loss + np.where(share == 0.0, 0.0, share * above)
        result["share"], result["loss"] = (
            _added(share),
            _added(np.where(np.isneginf(whole.maximum)[..., None], 0.0, terms)),
        )
    return result


def _log_sums_above(sums: Sums, whole: Sums, weights: Array) -> Array:
    """The log-sum of the whole less that of each piece, to its own relative precision."""
    difference = (whole.maximum[..., None] - sums.maximum) + np.log1p(whole.others)[..., None]
    difference = np.where(np.isneginf(sums.maximum), np.inf, difference - np.log1p(sums.others))
    # where a piece is nearly all there is the two cancel
    first = np.argmax(weights, -1)[..., None]
    is_first = np.arange(weights.shape[-1]) == first
    rest = _added(np.where(is_first, 0.0, weights))[..., None]
    return np.where(is_first, np.log1p(rest / weights), difference)


def _added(numbers: Array) -> Array:
    """The sum along the last axis, in order."""
    total = numbers[..., 0].astype(np.float64)
    for k in range(1, numbers.shape[-1]):
        total = total + numbers[..., k]
    return total
