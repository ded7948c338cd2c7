"""How good the answers of a classifier are, added up batch by batch: accuracy, calibration, Brier score."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Bins of equal width that confidences in [0, 1] are put into, as in Guo et al. (arXiv:1706.04599)."""


class Scores(NamedTuple):
    """
    What `Calibration.scores` adds up to.

    Attributes
    ----------
    rows
        How many rows there were.
    accuracy
        Share of the rows with the true label, in [0, 1]; None without true labels.
    ece
        Expected calibration error: Σ over the bins of (rows in it / rows)·|accuracy − mean confidence|, where the
        confidence is the largest probability of a row; None without true labels or probabilities.
    brier
        Mean over the rows of Σ over the classes of (p − t)², t being 1 for the true class and 0 else, in [0, 2];
        None as above, and where it is not known which column stands for which label.
    not_numbers
        Rows with a NaN among their probabilities: they count as wrong, and in neither ``ece`` nor ``brier``.
    bins
        For each bin the number of rows, their accuracy and their mean confidence (0 where there is none).
    """

    rows: int
    accuracy: float | None
    ece: float | None
    brier: float | None
    not_numbers: int
    bins: list[tuple[int, float, float]]


class Calibration:
    """Adds up the answers of one runtime; sums in float64."""

    def __init__(self) -> None:
        self._rows = 0
        self._judged = 0
        self._right = 0
        self._not_numbers = 0
        self._bins = np.zeros((3, BINS))  # rows, right ones, confidence
        self._squares: float | None = None
        self._squared = 0

    def add(
        self,
        labels: NDArray[Any],
        probabilities: NDArray[Any] | None,
        truth: NDArray[Any] | None,
        columns: NDArray[np.intp] | None,
    ) -> None:
        """
        Add a batch of N rows: labels and true labels, (N,), and probabilities, (N, C), or None.

        ``columns`` has the column of each true label, (N,); None where it is not known.
        """
        self._rows += len(labels)
        if truth is None:
            return
        right = np.asarray(labels == truth)
        if probabilities is not None:
            p = probabilities.astype(np.float64)
            known = ~np.isnan(p).any(-1)
            right &= known
            self._not_numbers += int((~known).sum())
            self._put(p[known], right[known], None if columns is None else columns[known])
        self._judged += len(labels)
        self._right += int(right.sum())

    def merge(self, later: Calibration) -> None:
        """Add what was added up of later rows; of one batch, the same bits as if it had been added here."""
        self._rows += later._rows
        self._judged += later._judged
        self._right += later._right
        self._not_numbers += later._not_numbers
        self._bins += later._bins
        if later._squares is not None:
            self._squares = (self._squares or 0.0) + later._squares
        self._squared += later._squared

    def scores(self) -> Scores:
        """Return what was added up."""
        count, right, confidence = self._bins
        total = count.sum()
        safe = np.maximum(count, 1)
        gaps = np.abs(right - confidence)
        return Scores(
            rows=self._rows,
            accuracy=self._right / self._judged if self._judged else None,
            ece=float(gaps.sum() / total) if total else None,
            brier=None if self._squares is None or not self._squared else self._squares / self._squared,
            not_numbers=self._not_numbers,
            bins=[
                (int(n), float(a), float(c))
                for n, a, c in zip(count, right / safe, confidence / safe, strict=True)
            ],
        )

    def _put(self, p: NDArray[Any], right: NDArray[Any], columns: NDArray[np.intp] | None) -> None:
        confidence = p.max(-1)
        # Bins are open below and closed above, as (0, 1/15]; what is beyond [0, 1] goes to the next one.
        place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        for row, weight in enumerate((None, right, confidence)):
            self._bins[row] += np.bincount(place, weight, BINS)
        if columns is not None:
            chosen = np.take_along_axis(p, columns[:, None], 1)[:, 0]
            # Σ (p − t)² = Σ p² − 2 p_true + 1
            squares = float(np.sum(np.square(p)) - 2 * chosen.sum() + len(p))
            self._squares = (self._squares or 0.0) + squares
            self._squared += len(p)
