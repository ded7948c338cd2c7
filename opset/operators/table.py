"""The rows of all operators at all versions, put together."""

from __future__ import annotations

from . import rows_attention, rows_decisions, rows_losses, rows_ml, rows_quantized, rows_softmax
from .row import Operator

TABLE: tuple[Operator, ...] = (
    *rows_softmax.ROWS,
    *rows_losses.ROWS,
    *rows_attention.ROWS,
    *rows_decisions.ROWS,
    *rows_ml.ROWS,
    *rows_quantized.ROWS,
)
