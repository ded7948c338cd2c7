"""The cases of the suite as tests: ``pytest --pyargs softops.conformance --runtime NAME``."""

from __future__ import annotations

from typing import Any

import pytest


def test_case(conformance_record: Any) -> None:
    """One case: right, or known to deviate, or skipped where the runtime says that it does not take it."""
    record = conformance_record
    if record.outcome == "unsupported":
        pytest.skip(record.message)
    if record.known is not None:
        pytest.xfail(f"{record.message} ({record.known})")
    if record.outcome != "right":
        pytest.fail(f"{record.outcome}: {record.message}", pytrace=False)
