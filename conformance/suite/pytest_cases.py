"""The options and fixtures of ``pytest --pyargs softops.conformance``; `softops.cli.pytest_plugin` loads them."""

from __future__ import annotations

import pytest

from ..cases.case import Case
from ..cases.grid import cases
from ..runtimes.names import get_runtime
from ..runtimes.protocol import name_of, settings_of, version_of
from ..verdicts.known import Known, known_deviations, marked
from ..verdicts.record import CaseRecord
from ..verdicts.rules import BOUNDS
from .examiner import Examiner


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `softops conformance` has as options."""
    group = parser.getgroup("softops", "conformance of a runtime")
    group.addoption("--runtime", metavar="NAME", help="the runtime under test, as of softops conformance")
    for name in ("ops", "opsets", "dtypes", "families"):
        group.addoption(f"--{name}", metavar="LIST", help="only these, with commas between")
    group.addoption("--depth", choices=("quick", "default", "full"), default="default", help="how many cases")
    group.addoption("--bound", choices=BOUNDS, default="strict", help="whose bounds")
    group.addoption("--input-seed", type=int, default=0, metavar="N", help="what the inputs are made from")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case."""
    if "conformance_case" not in metafunc.fixturenames:
        return
    config = metafunc.config
    name = config.getoption("--runtime")
    if name is None:
        message = "expected --runtime NAME (got none); add for instance --runtime onnxruntime"
        raise pytest.UsageError(message)
    try:
        listed = cases(
            ops=_parts(config.getoption("--ops")),
            opsets=_numbers(config.getoption("--opsets")),
            dtypes=_parts(config.getoption("--dtypes")),
            families=_parts(config.getoption("--families")),
            depth=config.getoption("--depth"),
            seed=config.getoption("--input-seed"),
            settings=settings_of(get_runtime(name)),
        )
    except (ValueError, ImportError) as error:
        raise pytest.UsageError(str(error)) from error
    metafunc.parametrize("conformance_case", listed, ids=[case.id for case in listed])


@pytest.fixture(scope="session")
def examiner(pytestconfig: pytest.Config) -> Examiner:
    """What judges the cases in this process."""
    runtime = get_runtime(pytestconfig.getoption("--runtime"))
    return Examiner(runtime, pytestconfig.getoption("--bound"))


@pytest.fixture(scope="session")
def known(pytestconfig: pytest.Config) -> Known:
    """What is known to deviate."""
    runtime = get_runtime(pytestconfig.getoption("--runtime"))
    return known_deviations(name_of(runtime), version_of(runtime))


@pytest.fixture
def conformance_record(conformance_case: Case, examiner: Examiner, known: Known) -> CaseRecord:
    """What was found in a case."""
    ((record,), _) = marked([examiner.examine(conformance_case)], known)
    return record


def _parts(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str | None) -> list[int] | None:
    parts = _parts(text)
    return None if parts is None else [int(part) for part in parts]
