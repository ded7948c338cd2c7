"""What the gradients ask of a row of logits: its maximum, and the sum of its exponentials without the maximum's own."""

from typing import Any

from ..log_sums.robust import add_robust_sums, raised_sum, without_one_top
from ..rowwise.blocks import block_at, extremes_merged, merge_blocks
from ..rowwise.rows import extremes


def sums_of_row(kind: Any, src: Any, n: Any) -> Any:
    """The maximum m, and Σ exp(x − m) without one term of x = m, as a pair: block by block."""
    m, _ = merge_blocks(n, lambda block: extremes(kind, *block_at(kind, src, n, block)), extremes_merged)

    def of_block(block: Any) -> Any:
        return raised_sum(kind, *block_at(kind, src, n, block), m)

    return m, without_one_top(*merge_blocks(n, of_block, add_robust_sums))
