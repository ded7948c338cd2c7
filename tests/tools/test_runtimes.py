"""The page of all runtimes: from reports to what is kept of them, and to the page; what cannot start is a row."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest

from softops.conformance import runtimes as known_runtimes
from softops.conformance.cases.case import Case
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.known import Deviation
from softops.conformance.verdicts.record import CaseRecord, Check

ROOT = Path(__file__).parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # tools is no part of the installed package
    from tools import environments
    from tools.runtimes import __main__ as command
    from tools.runtimes import causes, page, runs
    from tools.runtimes.table import ENTRIES, Entry

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(2, 3), family="gaps")


def record(outcome, op="Softmax", message="", bound_used=None, **more):
    check = Check(name="ulp", passed=outcome != "wrong", message=message)
    case = dataclasses.replace(CASE, op=op, **more)
    verdict = "ulp" if outcome == "wrong" else ""
    return CaseRecord(
        case=case, outcome=outcome, verdict=verdict, checks=(check,), message=message, bound_used=bound_used
    )


def report(*cases):
    return SuiteReport(
        runtime="r", runtime_version="1.2", softops_version="0", platform="a system", seconds=3.2, cases=cases
    )


@pytest.fixture
def run():
    """A run of a runtime that is right in one operator, wrong and crashed in another, and takes half of a third."""
    found = report(
        record("right"),
        record("wrong", "Sigmoid", "ulp: by <little>", 2.0, axis=None),
        record("wrong", "Sigmoid", "ulp: by much", 9.0, axis=None, shape=(4,)),
        record(
            "crashed",
            "Sigmoid",
            "expected r to run the model (got no [luck]); look at its operators and opset",
        ),
        record("right", "TopK"),
        record("unsupported", "TopK", "no TopK"),
        record("unsupported", "Hardmax", "no Hardmax"),
    )
    return runs.of_report(Entry("r.s", ("r==1.2",)), found, "2026-01-02", "quick")


def test_a_run_is_kept_and_read_again(run, tmp_path):
    runs.write(run, tmp_path)
    assert runs.read("r.s", tmp_path) == run
    assert runs.read("s", tmp_path) is None


def test_what_is_wrong_alike_is_one_cause_told_by_its_smallest_case(run):
    wrong, crashed = run.causes
    assert (wrong.text, wrong.cases, wrong.operators) == ("ulp: by much", 2, ["Sigmoid"])
    assert wrong.example == "Sigmoid-13/float32/4/gaps/plain"
    assert (crashed.text, crashed.outcome) == ("no [luck]", "crashed")


def test_a_cause_that_was_looked_for_comes_first(monkeypatch):
    issue = "https://example.com/issues/1"
    deviation = Deviation(
        cases=("Sigmoid-*", "Softmax-*"), outcome="wrong", why="A polynomial of degree 5.", issue=issue
    )
    monkeypatch.setattr(causes, "written", lambda: {"r": (deviation,)})
    found = causes.causes_of(
        report(record("wrong"), record("wrong", "Sigmoid"), record("crashed", "Sigmoid"))
    )
    assert found[0] == causes.Cause(
        "A polynomial of degree 5.",
        "wrong",
        issue,
        2,
        ["Softmax", "Sigmoid"],
        "Softmax-13/float32/axis=1/2x3/gaps/plain",
    )
    assert len(found) == 2


def test_the_page_has_a_row_an_operator_and_leads_to_the_causes(run):
    fails = runs.Run(name="s", runtime="s", date="2026-01-02", problem="no | such package")
    entries = (Entry("r.s", ("r==1.2",), note="as it comes"), Entry("s", ("s==1",)), Entry("not kept"))
    text = page.render({"r.s": run, "s": fails}, entries)
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert rows["operator"] == "| operator | r.s<br>1.2<br>2026-01-02 |"
    assert rows["Softmax"].endswith("| \N{CHECK MARK} right |")
    assert "! 1 crashed<br>\N{MULTIPLICATION SIGN} 2 wrong of 3" in rows["Sigmoid"]
    assert rows["TopK"].endswith("| \N{CHECK MARK} right, 1 unsupported |")
    assert rows["Hardmax"].endswith("unsupported |")
    assert rows["s"] == r"| s | s==1 | 2026-01-02 | no \| such package |"
    assert "conformance --quick" in text
    assert (
        "As it comes. `--runtime r.s` (`pip install r==1.2`): 1 crashed, 2 wrong, 2 right, 2 unsupported"
        in text
    )
    links = set(re.findall(r"\]\(#([\w-]+)\)", text))
    assert links == set(re.findall(r'<a id="([\w-]+)">', text)) == {"r-s-1", "r-s-2"}
    assert r"no \[luck\]" in text
    assert "(#s-" not in text


@pytest.mark.slow  # an environment is made
def test_what_pip_does_not_have_is_a_row(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    found = runs.made(Entry("none", ("softops-has-no-such-package==1",)), tmp_path, "quick")
    assert found.problem.startswith("pip could not install it: ")
    assert "No matching distribution found" in found.problem
    assert "## Not run" in page.render({"none": found}, (Entry("none"),))


INTERPRETER = """\
#!/bin/sh
# Takes itself for an environment's interpreter, in which pip does and the runtime does not start.
[ "$2" = pip ] && exit 0
echo "Traceback" >&2
echo "Error: expected a device ($PIP_NO_INDEX $OWN)" >&2
exit 2
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
def test_what_does_not_start_is_a_row(tmp_path):
    """With variables of its own, and with pip kept from installing anything more."""
    entry = Entry("broken", ("b==1",), variables={"OWN": "x"})
    place = runs.interpreter(tmp_path / "environments" / "broken")
    place.parent.mkdir(parents=True)
    place.write_text(INTERPRETER, "utf-8")
    place.chmod(0o755)
    (tmp_path / "environments" / "broken" / "packages.json").write_text('["b==1"]', "utf-8")
    assert runs.made(entry, tmp_path, "quick").problem == "Error: expected a device (1 x)"


def test_every_entry_is_a_runtime_of_pinned_packages():
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert entry.asked.partition(":")[0] in known_runtimes()
        assert all("==" in package for package in entry.packages), entry
        if entry.node:
            wanted = json.loads((ROOT / entry.node / "package.json").read_text("utf-8"))["dependencies"]
            assert entry.version in wanted.values()


def test_causes_that_were_written_are_of_runtimes_and_read():
    for name, entries in causes.written().items():
        assert name in known_runtimes()
        assert all(entry.why.endswith(".") and entry.outcome in ("wrong", "crashed") for entry in entries)


def test_a_report_is_read_again_without_a_run(run, tmp_path):
    entry = Entry("r.s", ("r==1.2",))
    found = report(record("right"), record("wrong", "Sigmoid", axis=None))
    found.write(tmp_path / "issues" / "r.s")
    assert runs.again(entry, tmp_path, run) == runs.of_report(entry, found, run.date, run.depth)


@pytest.mark.skipif(sys.platform == "win32", reason="npm is a shell script")
def test_a_program_in_node_is_copied_and_installed(tmp_path, monkeypatch):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "package.json").write_text("{}")
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho error: $1 >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    done = environments.installed_by_npm(tmp_path / "program", tmp_path / "place")
    assert (done.returncode, done.stderr) == (1, "error: install\n")
    assert (tmp_path / "place" / "package.json").exists()
    npm.unlink()
    monkeypatch.setenv("PATH", "")
    assert "no npm" in environments.installed_by_npm(tmp_path / "program", tmp_path / "place").stderr


def test_the_page_in_the_docs_is_made_from_what_is_kept():
    kept = {entry.name: found for entry in ENTRIES if (found := runs.read(entry.name)) is not None}
    assert page.render(kept) == (ROOT / "docs" / "runtimes.md").read_text("utf-8")


@pytest.mark.parametrize(("only", "depth"), [("abacus", "quick"), ("tract", "deep")])
def test_what_is_not_known_is_refused(tmp_path, only, depth):
    with pytest.raises(SystemExit, match=r"expected runtimes among softops, .*quick"):
        command.run(tmp_path / "made", only=only, depth=depth)
    assert not list(tmp_path.iterdir())
