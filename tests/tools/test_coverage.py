"""The page on operators: every row has its probe, which softops passes, and no difference is stale."""

import subprocess
import sys
from pathlib import Path

import pytest

from softops.opset import operators

ROOT = Path(__file__).parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # benchmarks is no part of the installed package
    from tools.coverage_differences import differences, outcomes
    from tools.coverage_probes import RIGHT, outcome, probe
    from tools.coverage_runners import runners

OURS, *OTHERS = runners()
# Other runtimes warn of overflows and of empty rows, which are put to them on purpose.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("row", operators(), ids=lambda row: row.name)
def test_every_row_is_right_in_every_dtype(row):
    for dtype in row.dtypes:
        assert outcome(row, probe(row, dtype), OURS) == RIGHT, dtype


@pytest.mark.parametrize("difference", differences(), ids=lambda d: f"{d.row.name}: {d.what}")
def test_others_differ_and_softops_does_not(difference):
    ours, *others = outcomes(difference, (OURS, *OTHERS))
    assert ours == RIGHT
    assert others != [RIGHT] * len(OTHERS), "all agree by now: take it off the list"


def test_the_page_has_every_row_and_is_right_throughout():
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    section = text.split("\n## Versions and dtypes\n")[1].split("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in section.splitlines()]
    found = {(line[0], line[1]): line[4] for line in lines if line[0].startswith("[")}
    names = {
        (f"[{row.domain + '.' if row.domain else ''}{row.op_type}]({row.schema_url})", str(row.since_version))
        for row in operators()
    }
    assert found.keys() == names, "generate the page again: docs/contributing.md says how"
    assert set(found.values()) == {"all"}
    for heading in ("Official tests", "Differences", "Where ONNX leaves a meaning open"):
        assert f"\n## {heading}\n" in text
    notes = [note for row in operators() for note in row.notes]
    assert [note for note in notes if note not in text] == [], "generate the page again"


@pytest.mark.slow
def test_the_page_is_written(tmp_path):
    path = tmp_path / "operators.md"
    command = [sys.executable, "-m", "tools.coverage", "--no-suite", "--docs", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_text(encoding="utf-8").startswith("# Operators\n")
