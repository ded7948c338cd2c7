"""Under which of the bounds a runtime passes, operator by operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..verdicts.promises import promised
from ..verdicts.record import CaseRecord
from ..verdicts.suite_record import SuiteRecord
from .page import DASH
from .summary import qualified

LEGEND = (
    "exact is what softops promises for its kernels, and the same as strict where it promises nothing; strict is what "
    "the plain stable formula keeps; webnn and onnx are the tolerances of those projects. Each column counts the cases "
    "that break the bound, with their dtypes; known deviations count, crashes do not."
)


@dataclass(frozen=True)
class BoundsOfOperator:
    """
    How an operator fares by each bound.

    Attributes
    ----------
    name
        Of the operator, with its domain.
    promised
        What softops promises of it; a dash for nothing.
    compared
        Number of the cases whose outputs were judged.
    broken
        By the name of each bound: how many cases break it, and the dtypes of these.
    """

    name: str
    promised: str
    compared: int
    broken: dict[str, tuple[int, tuple[str, ...]]]

    def cell(self, bound: str) -> str:
        """Return what a table says of a bound."""
        count, dtypes = self.broken[bound]
        if not self.compared:
            return DASH
        if not count:
            return "\N{CHECK MARK}"
        return f"\N{MULTIPLICATION SIGN} {count:,} of {self.compared:,}: {', '.join(dtypes)}"


def bounds_by_operator(report: SuiteRecord) -> list[BoundsOfOperator]:
    """Return a row for each operator, in the order of the cases; none where a report does not know of the bounds."""
    found: dict[str, list[CaseRecord]] = {}
    for record in report.cases if report.bounds else ():
        found.setdefault(qualified(record.domain, record.op), []).append(record)
    return [_row(name, records, report.bounds) for name, records in found.items()]


def _row(name: str, records: list[CaseRecord], bounds: Iterable[str]) -> BoundsOfOperator:
    judged = [record for record in records if record.outcome in ("right", "wrong")]
    broken = {}
    for bound in bounds:
        beyond = [record for record in judged if not record.keeps(bound)]
        broken[bound] = len(beyond), tuple(sorted({record.dtype for record in beyond}))
    return BoundsOfOperator(name, promised(records[0].op) or DASH, len(judged), broken)
