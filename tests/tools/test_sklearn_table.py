"""docs/sklearn.md: every classifier is in its table, and the bounds there hold."""

import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")
pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install 'softops[test]'")
pytest.importorskip("pandas", reason="pandas is not installed: pip install 'softops[test]'")

from tools.sklearn_table.data import SETS, classifiers
from tools.sklearn_table.measure import Outcome, measure
from tools.sklearn_table.page import bound_of, section, with_section

PAGE = (Path(__file__).parents[2] / "docs" / "sklearn.md").read_text("utf-8")
BOUNDS = dict(re.findall(r"^\| (\w+) \|.*\| (\S+) \|$", PAGE, re.MULTILINE))
KINDS = dict(classifiers())
FAST = (
    "BernoulliNB",
    "DecisionTreeClassifier",
    "KNeighborsClassifier",
    "LinearSVC",
    "NearestCentroid",
    "SVC",
)


def test_at_least_thirty_are_exported_and_all_are_told_of():
    exported = set(BOUNDS) - {"classifier"}
    assert len(exported) >= 30
    refused = set(re.findall(r"^- \*\*(\w+)\*\*", PAGE, re.MULTILINE))
    assert KINDS.keys() <= exported | refused


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("table", [False, True], ids=["alone", "behind columns"])
def test_a_bound_holds(name, table):
    check(name, SETS[:1], table)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KINDS if name in BOUNDS])
@pytest.mark.parametrize("table", [False, True], ids=["alone", "behind columns"])
@pytest.mark.filterwarnings("ignore")
def test_every_bound_holds_on_every_set(name, table):
    check(name, SETS, table)


def check(name, sets, table):
    outcome = measure(name, KINDS[name], sets, table=table)
    assert outcome.refused == ""
    assert outcome.largest <= float(BOUNDS[name])


def test_the_section_says_what_is_refused_and_replaces_an_older_one():
    right, wrong = (
        Outcome("skl2onnx 1 (A), softops 0", 3e-7, 0, "probabilities"),
        Outcome(refused="iris: no | such"),
    )
    text = section({"Good": (right, right), "Bad": (right, wrong)})
    assert "| Good | skl2onnx | probabilities | 3.0e-07 | 3.0e-07 | 1e-06 |" in text
    assert r"- **Bad** (behind columns): iris: no \| such" in text
    assert "1 of 2 are exported" in text
    page = with_section("# Page\n\nWords.\n", text)
    assert with_section(page, text) == page
    assert bound_of(6e-6) == pytest.approx(1e-4)
