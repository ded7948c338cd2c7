"""Whether two runtimes give the same labels over a whole set, added up batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..measure.metrics import Scalar, scalar
from ..measure.numbers import percent
from .answers import Answer

SHOWN = 20
"""So many changed rows are kept."""


class Change(NamedTuple):
    """A row whose label changes: its number, both labels, and by how much the right one's leads in the right scores."""

    row: int
    left: Scalar
    right: Scalar
    margin: float | None


class Agreement:
    """
    The labels of one runtime against those of another.

    Attributes
    ----------
    left, right
        What the two are called.
    rows, changed, clear
        How many rows there are, how many labels differ, and how many of these do although the scores of
        ``right`` are apart by more than rounding explains.
    changes
        The first of the changed rows.
    confusion
        How many rows have which pair of labels, (left, right).
    """

    def __init__(self, left: str, right: str, rtol: float) -> None:
        self.left, self.right = left, right
        self.rows = self.changed = self.clear = 0
        self.changes: list[Change] = []
        self.confusion: Counter[tuple[Scalar, Scalar]] = Counter()
        self._rtol = rtol

    @property
    def share(self) -> float:
        """Share of the rows with the same label, in [0, 1]; 1 for none at all."""
        return 1 - self.changed / self.rows if self.rows else 1.0

    def __repr__(self) -> str:
        changed = f", {self.changed:,} change" if self.changed else ""
        clear = f", {self.clear:,} of them by more than rounding explains" if self.clear else ""
        return f"{self.left} against {self.right}: {percent(self.share)} of {self.rows:,} labels agree{changed}{clear}"

    def add(self, left: Answer, right: Answer, start: int, classes: Mapping[Any, int] | None = None) -> None:
        """
        Add a batch whose first row has the number ``start``.

        ``classes`` has the column of each label; None where it is not known, so that a label is taken for that of the
        largest score.
        """
        self.rows += len(right.labels)
        pairs = zip(map(scalar, left.labels), map(scalar, right.labels), strict=True)
        self.confusion.update(pairs)
        for row in np.flatnonzero(np.asarray(left.labels != right.labels)):
            pair = scalar(left.labels[row]), scalar(right.labels[row])
            margin = self._margin(left, right, int(row), pair, classes)
            self.changed += 1
            if len(self.changes) < SHOWN:
                self.changes.append(Change(start + int(row), *pair, margin))

    def merge(self, later: Agreement) -> None:
        """Add what was added up of later rows."""
        self.rows += later.rows
        self.changed += later.changed
        self.clear += later.clear
        self.changes += later.changes[: SHOWN - len(self.changes)]
        self.confusion.update(later.confusion)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; the confusion as rows (left, right, count)."""
        return {
            "left": self.left,
            "right": self.right,
            "rows": self.rows,
            "changed": self.changed,
            "clear": self.clear,
            "changes": [change._asdict() for change in self.changes],
            "confusion": [[*pair, count] for pair, count in self.confusion.most_common()],
        }

    def _margin(
        self,
        left: Answer,
        right: Answer,
        row: int,
        pair: tuple[Scalar, Scalar],
        classes: Mapping[Any, int] | None,
    ) -> float | None:
        if left.scores is None or right.scores is None:
            self.clear += 1  # no scores, no excuse
            return None
        own = right.scores[row]
        if classes is None:
            other, chosen = int(left.scores[row].argmax()), int(own.argmax())
        elif pair[0] in classes and pair[1] in classes:
            other, chosen = (classes[label] for label in pair)
        else:
            self.clear += 1  # a label of no class
            return None
        margin = float(own[chosen] - own[other])
        # Both runtimes may be off by rtol of the largest score.
        close = abs(margin) <= 2 * self._rtol * float(np.abs(own).max())
        # Where one column was the largest to both, a label does not follow its scores, unless these are tied.
        self.clear += not close or (other == chosen and len(own) > 1 and not self._tied(own))
        return margin

    def _tied(self, scores: Any) -> bool:
        second, first = np.partition(scores, -2)[-2:]
        return bool(first - second <= 2 * self._rtol * np.abs(scores).max())
