"""What changed between two releases: told from two reports, written as a section of the page, and kept there."""

import dataclasses
import sys
from pathlib import Path

import pytest

from softops.conformance.cases.case import Case
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.known import Deviation, Known
from softops.conformance.verdicts.record import CaseRecord, Check
from softops.conformance.verdicts.rules import BOUNDS

ROOT = Path(__file__).parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # benchmarks is no part of the installed package
    from tools import environments, releases, releases_page

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(2, 3), family="gaussian-3")
LISTED = Deviation(
    cases=("Softmax-13/float32/*",), outcome="wrong", why="The tail is <flushed>.", verdicts=("ulp",)
)


def record(outcome, op="Softmax", dtype="float32", **more):
    checks = (Check(name="ulp", passed=outcome != "wrong"),)
    case = dataclasses.replace(CASE, op=op, dtype=dtype)
    verdict = "ulp" if outcome == "wrong" else ""
    return CaseRecord(case=case, outcome=outcome, verdict=verdict, checks=checks, elements=6, **more)


def report(version, *cases, **more):
    return SuiteReport(
        runtime="r", runtime_version=version, softops_version="0", cases=cases, bounds=BOUNDS, **more
    )


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setattr(releases_page, "known_deviations", lambda *_: Known("1", (LISTED,)))


def part(text, title):
    """The bullets under a title."""
    return [line for line in text.split(f"\n{title}\n\n")[1].split("\n\n")[0].splitlines() if line]


def test_what_is_gone_new_and_changed_is_told_with_its_cause_and_a_case():
    older = report(
        "1.0",
        record("wrong", known="not reported yet"),
        record("right", "Sigmoid"),
        record("unsupported", "Hardmax"),
        record("right", "LogSoftmax", max_ulp=2.0),
        record("right", "TopK", max_ulp=1.0),
        record("crashed", "Softplus"),
    )
    newer = report(
        "1.1",
        record("right"),
        record("wrong", "Sigmoid"),
        record("right", "Hardmax"),
        record("right", "LogSoftmax", max_ulp=3.0),
        record("right", "TopK", max_ulp=1.0),
        record("crashed", "Softplus"),
        record("right", "ArgMax"),
    )
    text = releases_page.section(older, newer)
    assert text.startswith("### r: 1.0 to 1.1\n")
    assert "\n6 cases of a default run, " in text  # those of both
    assert part(text, "Gone with 1.1:") == [
        "- The tail is \\<flushed>: 1 case, such as `Softmax-13/float32/axis=1/2x3/gaussian-3/plain`"
    ]
    (new,) = part(text, "New with 1.1:")
    assert new.startswith("- Sigmoid in float32: wrong (ulp), not on the list: 1 case, such as `Sigmoid-13/")
    (moved,) = part(text, "Otherwise changed:")
    assert moved.startswith("- Hardmax in float32: unsupported, now right: 1 case")
    (other,) = part(text, "Right in both, with other errors:")
    assert other.startswith("- LogSoftmax in float32: 1 case")
    assert [line.partition(":")[0] for line in part(text, "In 1.0, not on the list:")] == [
        "- Softplus in float32"
    ]
    assert len(part(text, "In 1.1, not on the list:")) == 2
    assert "| wrong | 0 | 1 |" in text
    assert "| known | 1 | 0 |" in text
    assert "| Softmax | \N{CHECK MARK} | \N{CHECK MARK} | \N{CHECK MARK} | \N{CHECK MARK} |" in text
    assert "Nothing changed" not in text


def test_that_nothing_changed_is_told():
    both = (record("right"), record("wrong", "Sigmoid"))
    text = releases_page.section(report("1.0", *both), report("1.1", *both))
    assert "Nothing changed" in text
    assert "Gone" not in text
    assert "New with" not in text


def test_what_the_list_says_and_no_case_shows_is_told():
    text = releases_page.section(
        report("1.0", record("right"), vanished=("it was flushed.",)), report("1.1", record("right"))
    )
    assert part(text, "On the list, and not shown by 1.0:") == ["- it was flushed."]


def test_a_section_is_added_to_the_page_or_put_in_the_place_of_an_older_one():
    page = "# Page\n\n## r 1.1\n\n### a deviation\n\ntext\n"
    one = releases_page.section(report("1.0", record("right")), report("1.1", record("right")))
    two = one.replace("### r:", "### s:")
    newest = one.replace("1.0 to 1.1", "1.1 to 1.2")
    once = releases_page.with_section(page, one)
    assert once.startswith(page)
    assert releases_page.with_section(once, one) == once
    both = releases_page.with_section(once, two)
    replaced = releases_page.with_section(both, newest)
    assert "1.0 to 1.1" not in replaced.split("### s:")[0]
    assert replaced.count("\n### r:") == replaced.count("\n### s:") == 1
    assert replaced.index("### r:") < replaced.index("### s:")
    assert releases_page.kept_section(page) == ""
    assert f"{page}\n{releases_page.kept_section(both)}\n" == both


INTERPRETER = """\
#!/bin/sh
# Takes itself for an interpreter that ran the suite.
while [ "$1" != --report ]; do shift; done
mkdir -p "$2"
cp "{report}" "$2/report.json"
exit {code}
"""


@pytest.fixture
def interpreter(tmp_path):
    def made(name, found, code=1):
        (tmp_path / f"{name}.json").write_text(found.to_json(), "utf-8")
        path = tmp_path / name
        path.write_text(INTERPRETER.format(report=tmp_path / f"{name}.json", code=code), "utf-8")
        path.chmod(0o755)
        return path

    return made


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
def test_the_command_runs_both_environments_and_writes_the_page(tmp_path, interpreter, capsys):
    python = [
        interpreter("old", report("1.0", record("wrong"))),
        interpreter("new", report("1.1", record("right")), 0),
    ]
    page = tmp_path / "page.md"
    page.write_text("# Page\n", "utf-8")
    releases.run("onnxruntime", folder=tmp_path / "made", python=python, docs=page)
    assert "Gone with 1.1:" in page.read_text("utf-8")
    assert page.read_text("utf-8").endswith(capsys.readouterr().out.strip() + "\n")
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "report-onnxruntime-older",
        "report-onnxruntime-newer",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
def test_a_run_that_judged_nothing_is_an_error(tmp_path, interpreter):
    broken = interpreter("broken", report("1.0", record("right")), 2)
    with pytest.raises(SystemExit, match=r"exited with 2.*install this softops"):
        releases.run("onnxruntime", folder=tmp_path / "made", python=[broken, broken])


@pytest.mark.parametrize(
    ("runtime", "named", "said"),
    [
        ("abacus", ["1", "2"], "onnxruntime"),
        ("torch", ["2.13.0"], "two releases"),
        ("torch", None, "two releases"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, runtime, named, said):
    with pytest.raises(SystemExit, match=said):
        releases.run(runtime, named, folder=tmp_path / "made")
    assert list(tmp_path.iterdir()) == []


def test_what_is_installed_is_copied_first(tmp_path):
    """Pip writes into the folder it builds from, so that is none of ours."""
    copy = environments.copied(tmp_path / "source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "conformance/data", "cli/main.py"):
        assert (copy / name).exists()
    assert not list(copy.rglob("__pycache__"))
