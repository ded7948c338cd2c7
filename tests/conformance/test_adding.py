"""Whoever adds a family, an operator, a runtime, a report format or a known deviation is told of every place."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from softops.conformance import Comparison, Evaluation, NoiseReport, OutputsReport, SuiteReport, runtimes
from softops.conformance.cases.families import FAMILIES
from softops.conformance.cases.variations import VARIATIONS
from softops.conformance.reports.comparison import write_report
from softops.conformance.reports.evaluation import write_evaluation
from softops.conformance.reports.files import FILES
from softops.conformance.reports.noise import write_noise
from softops.conformance.reports.outputs import write_outputs
from softops.conformance.reports.scripts import SCRIPTS, WITHOUT_SCRIPT
from softops.conformance.suite.report import FORMS
from softops.conformance.verdicts.rules import RULES
from softops.conformance.verdicts.verdicts import VERDICTS
from softops.opset import operators

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "conformance.md").read_text("utf-8")


def test_the_page_names_families_and_verdicts():
    for name, family in FAMILIES.items():
        assert f"| `{name}` | {family.description} |" in PAGE
    for name, text in VERDICTS.items():
        assert f"| `{name}` | {text} |" in PAGE


def test_an_operator_says_what_is_varied_and_what_it_is_held_to():
    names = {row.op_type for row in operators()}
    assert set(VARIATIONS) == names
    assert set(RULES) == names


def test_a_runtime_stands_on_the_page_and_has_a_script_for_its_failures():
    """Its module and its name are asked for in test_runtimes."""
    for name in runtimes():
        assert f"| `{name}" in PAGE
    assert {*SCRIPTS, *WITHOUT_SCRIPT} == set(runtimes())


def test_a_form_of_the_suite_report_is_written_and_stands_on_the_page(tmp_path):
    SuiteReport(runtime="r", runtime_version="1", softops_version="0", cases=()).write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "reproductions", *FORMS}
    for name in ("report.json", *FORMS):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (write_report, Comparison()),
        (write_evaluation, Evaluation(0)),
        (write_outputs, OutputsReport({})),
        (write_noise, NoiseReport()),
    ],
)
def test_a_form_of_the_other_reports_is_written_by_all_and_stands_on_the_page(write, found, tmp_path):
    write(found, tmp_path / "folder", title="t")
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {f"report{ending}" for ending in FILES}
    for ending in FILES:
        write(found, tmp_path / f"one{ending}", title="t")
        assert (tmp_path / f"one{ending}").stat().st_size
        assert f"`{ending}`" in PAGE


def test_a_known_deviation_is_in_a_list_of_a_runtime_and_on_the_page():
    """That each list is sound is asked for in test_known, that each entry is told in tests/tools/test_deviations."""
    text = (DOCS / "deviations.md").read_text("utf-8")
    for path in (files("softops.conformance") / "data").iterdir():
        name, version = re.fullmatch(r"known-(.+)-([0-9.]+)\.json", path.name).groups()
        assert name in runtimes()
        assert f"\n## {name} {version}\n" in text
        for deviation in json.loads(path.read_text("utf-8"))["deviations"]:
            assert f"\n### {deviation['why']}\n" in text
