"""`softops conformance`: verdict, exit codes, and what it refuses."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from softops import conformance
from softops.cli.main import run
from softops.conformance import runtimes as _  # noqa: F401  (loads the module that is patched)
from softops.conformance.runtimes.softops import SoftopsRuntime

SMALL = (
    "--ops",
    "Softmax",
    "--opsets",
    "13",
    "--dtypes",
    "float32",
    "--families",
    "gaussian-3,ties",
    "--quick",
)


class Sloppy(SoftopsRuntime):
    """A runtime whose floats are off by a thousandth."""

    name = "sloppy"

    def load(self, model):
        right = super().load(model)
        return lambda feeds: [(x * 1.001).astype(x.dtype) for x in right(feeds)]


class Flushing(SoftopsRuntime):
    """A runtime that gives 0 for what is below a hundredth."""

    name = "flushing"

    def load(self, model):
        right = super().load(model)
        return lambda feeds: [np.where(x < 0.01, 0 * x, x) for x in right(feeds)]


class Refuses(SoftopsRuntime):
    name = "refuses"

    def supports(self, op, opset, dtype):
        return "too hard"


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    module = sys.modules["softops.conformance.runtimes.names"]
    entries = dict(module._entries())
    for kind in (Sloppy, Flushing, Refuses):
        entries[kind.name] = SimpleNamespace(
            load=lambda kind=kind: lambda options: kind(), value=f"nowhere:{kind.name}"
        )
    monkeypatch.setattr(module, "_entries", lambda: entries)


def test_a_right_runtime_exits_with_0_and_a_sentence(capsys):
    assert run(["conformance", "--runtime", "softops", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Softmax-13" in out
    assert out.splitlines()[-1].startswith("softops ")
    assert " passes: " in out.splitlines()[-1]


def test_a_wrong_runtime_exits_with_1_and_says_where(capsys):
    assert run(["conformance", "--runtime", "sloppy", *SMALL]) == 1
    out = capsys.readouterr().out
    assert "Wrong: Softmax-13/float32/" in out
    assert "ULP away" in out
    assert "\n    It would have passed with an absolute tolerance of" in out
    assert "does not pass" in out.splitlines()[-1]


def test_likely_causes_stand_before_the_failures(capsys):
    assert run(["conformance", "--runtime", "flushing", *SMALL]) == 1
    out = capsys.readouterr().out
    cause, table, failure = (out.index(part) for part in ("were set to 0", "operator", "Wrong: Softmax"))
    assert cause < table < failure
    assert "as if results below 0.01 were set to 0" in out


def test_nothing_compared_exits_with_3(capsys):
    assert run(["conformance", "--runtime", "refuses", *SMALL]) == 3
    assert "was not compared" in capsys.readouterr().out


def test_the_report_is_written(tmp_path, capsys):
    assert run(["conformance", "--runtime", "sloppy", *SMALL, "--report", str(tmp_path / "r")]) == 1
    report = json.loads((tmp_path / "r" / "report.json").read_text("utf-8"))
    assert report["runtime"] == "sloppy"
    assert report["counts"]["wrong"] > 0
    assert report["command"]["ops"] == ["Softmax"]


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("softops.conformance.run", lambda *given, **named: pytest.fail("it was run"))
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert run(["conformance", "--runtime", "softops", *SMALL, "--report", str(place)]) == 2
        assert "a folder that can be written to" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_cases_are_spread_over_the_processors_unless_told_otherwise(monkeypatch):
    asked, few = (
        [],
        conformance.run(
            "softops", ops=["Softmax"], opsets=[13], dtypes=["float32"], families=["ties"], quick=True
        ),
    )
    monkeypatch.setattr("softops.conformance.run", lambda *given, jobs, **named: asked.append(jobs) or few)
    run(["conformance", "--runtime", "softops"])
    run(["conformance", "--runtime", "softops", "--jobs", "1"])
    assert asked == [0, 1]  # 0 is the processors' number


def test_the_bar_counts_what_is_not_right(monkeypatch, capsys):
    said = []
    monkeypatch.setattr(
        "softops.cli.terminal.bar.Bar.__call__", lambda self, done, total, text="": said.append(text)
    )
    assert run(["conformance", "--runtime", "softops", *SMALL]) == 0
    assert set(said) == {"0 not right"}
    capsys.readouterr()
    assert run(["conformance", "--runtime", "sloppy", *SMALL]) == 1
    assert f" {said[-1].removesuffix(' not right')} wrong" in capsys.readouterr().out.splitlines()[-1]


def test_without_a_runtime_it_explains_itself(capsys):
    assert run(["conformance"]) == 0
    assert "--runtime" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runtime", "abacus"], "onnxruntime"),
        (["--runtime", "softops", "--ops", "Softmx"], "did you mean Softmax"),
        (["--runtime", "softops", "--opsets", "new"], "opsets as numbers"),
        (["--runtime", "softops", "--dtypes", "float8"], "float"),
        (["--runtime", "softops", "--families", "odd"], "family"),
        (["--runtime", "softops", "--bound", "lax"], "'strict', 'webnn', 'onnx'"),
        (["--runtime", "softops", "--quick", "--full"], "choose one"),
        (["--runtime", "softops", "--time-limit", "-1"], "time limit"),
        (["--runtime", "cmd: ./tool"], "{model}"),
        (["check", "nowhere"], "dump"),
    ],
)
def test_what_cannot_be_run_exits_with_2_and_one_line(capsys, arguments, said):
    assert run(["conformance", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: ")
    assert err.count("\n") == 1
    assert said in err
