"""The sums of rows that lie in blocks: of each block, merged, 16 bytes a row and block."""

from functools import partial

import dask.array as da
import numpy as np

from ..arrays.addresses import Array
from ..arrays.axes import merged
from ..arrays.inputs import as_floats, as_mask
from ..compile.arithmetic import own_arithmetic
from ..log_sums.pieces import Sums, merged_sums, sums_of_piece
from .arguments import Axes
from .tasks import Tree, all_axes, of_blocks, task

SUMS = np.dtype([("maximum", np.float64), ("others", np.float64)])


def records_of(sums: Sums) -> Array:
    """Sums as an array of records."""
    records = np.empty(sums.maximum.shape, SUMS)
    records["maximum"], records["others"] = sums
    return records


def sums_of(records: Array) -> Sums:
    """The sums in an array of records, which may have further fields."""
    return Sums(np.ascontiguousarray(records["maximum"]), np.ascontiguousarray(records["others"]))


def row_sums(
    name: str, x: da.Array, axes: Axes, mask: da.Array | None, temperature: float, tree: Tree
) -> da.Array:
    """Records of the sums along axes, which have length 1."""
    blocks = of_blocks(
        _sums_of_block,
        x,
        (mask, all_axes(x)),
        dtype=SUMS,
        axes=axes,
        operator=name,
        along=axes,
        temperature=temperature,
    )
    return tree.merged(blocks, partial(_merge, temperature=temperature), axes)


def _merge(records: Array, temperature: float) -> Array:
    return records_of(merged_sums(sums_of(records), temperature))


def masked(operator: str, block: Array, mask: Array | None) -> Array:
    """A block with −inf where the mask is not set."""
    x = as_floats(operator, block)
    if mask is None:
        return x
    wanted = as_mask(operator, mask, x.shape)
    with own_arithmetic():
        return np.where(wanted, x, x.dtype.type(-np.inf))


@task
def _sums_of_block(block: Array, mask: Array | None, operator: str, along: Axes, temperature: float) -> Array:
    x = masked(operator, block, mask)
    sums = sums_of_piece(merged(x, along), -1, temperature)
    shape = [1 if d in along else n for d, n in enumerate(x.shape)]
    return records_of(Sums(*(each.reshape(shape) for each in sums)))
