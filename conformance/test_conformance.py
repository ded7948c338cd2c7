"""The cases of the suite as tests: ``pytest --pyargs softops.conformance --runtime NAME``."""

from __future__ import annotations

import pytest

from softops.conformance.case import Case
from softops.conformance.examiner import Examiner
from softops.conformance.known import Known, marked


def test_case(conformance_case: Case, examiner: Examiner, known: Known) -> None:
    """One case: right, or known to deviate, or skipped where the runtime says that it does not take it."""
    record = examiner.examine(conformance_case)
    ((record,), _) = marked([record], known)
    if record.outcome == "unsupported":
        pytest.skip(record.message)
    if record.known is not None:
        pytest.xfail(f"{record.message} ({record.known})")
    if record.outcome != "right":
        pytest.fail(f"{record.outcome}: {record.message}", pytrace=False)
