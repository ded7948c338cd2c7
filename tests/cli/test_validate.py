"""`softops validate`: its verdicts, its exit codes and what it refuses."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from softops.cli.main import run
from softops.conformance.runtime_softops import SoftopsRuntime
from softops.export import classifier_head


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with head.onnx (3 features, 4 classes) and features.npz in it."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    classifier_head(random.normal(size=(4, 3)).astype(np.float32), path="head.onnx")
    np.savez("features.npz", features=random.normal(size=(6, 3)).astype(np.float32))
    return tmp_path


class Sloppy(SoftopsRuntime):
    """A runtime whose floats are off by a thousandth."""

    name = "sloppy"

    def load(self, model):
        right = super().load(model)
        return lambda feeds: [x * np.float32(1.001) if x.dtype.kind == "f" else x for x in right(feeds)]


def refused(arguments, capsys):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("runtime", ["onnxruntime", "softops"])
def test_a_right_model_exits_with_0_and_a_sentence(folder, capsys, runtime):
    assert run(["validate", "head.onnx", "--runtime", runtime]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name in ("label", "probabilities"):
        assert f"\n {name} " in out
    closing = out.splitlines()[-1]
    assert closing.startswith(f"{runtime} ")
    assert closing.endswith("computes head.onnx right on generated inputs.")


def test_the_inputs_of_a_file_are_used(folder, capsys):
    assert run(["validate", "head.onnx", "--inputs", "features.npz"]) == 0
    out = capsys.readouterr().out
    assert "float32[6,4]" in out
    assert out.endswith("computes head.onnx right.\n")


def test_a_wrong_runtime_exits_with_1_and_says_where(folder, capsys, monkeypatch):
    entry = SimpleNamespace(load=lambda: lambda options: Sloppy())
    monkeypatch.setattr(sys.modules["softops.conformance.runtimes"], "_entries", lambda: {"sloppy": entry})
    assert run(["validate", "head.onnx", "--runtime", "sloppy"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "Wrong: probabilities[" in out
    assert re.search(r"^ probabilities .* of 1,024 wrong ?$", out, re.MULTILINE)
    assert "computes head.onnx wrong" in out.splitlines()[-1]


def test_the_report_is_written_where_it_is_asked_for(folder, capsys):
    assert run(["validate", "head.onnx", "--report", "page.html"]) == 0
    page = (folder / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "probabilities" in page


def test_a_narrow_terminal_gets_fewer_columns_and_no_folded_names(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "45")
    assert run(["validate", "head.onnx"]) == 0
    out = capsys.readouterr().out
    assert "worst ULP" in out
    assert "mean ULP" not in out
    assert out.count("\n probabilities ") == 2


def test_names_are_printed_as_they_are(folder, capsys):
    model = onnx.load("head.onnx")
    model.graph.output[1].name = model.graph.node[1].output[0] = "[red]p[/red]"
    onnx.save(model, "odd.onnx")
    assert run(["validate", "odd.onnx"]) == 0
    assert "[red]p[/red]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.onnx"], "missing.onnx"),
        (["."], "folder"),
        (["features.npz"], "expected an ONNX model"),
        (["empty.onnx"], "empty"),
        (["head.onnx", "--runtime", "abacus"], "onnxruntime"),
        (["head.onnx", "--inputs", "missing.npz"], "missing.npz"),
        (["head.onnx", "--inputs", "head.onnx"], "expected a .npz file"),
        (["head.onnx", "--inputs", "names.npz"], "features"),
        (["head.onnx", "--inputs", "doubles.npz"], "float64"),
        (["head.onnx", "--inputs", "narrow.npz"], "shape"),
        (["head.onnx", "--report", "missing/page.html"], "missing"),
        (["head.onnx", "--report", "."], "folder"),
    ],
)
def test_what_cannot_be_run_exits_with_2_and_one_line(folder, capsys, arguments, said):
    (folder / "empty.onnx").touch()
    np.savez("names.npz", x=np.zeros((2, 3), np.float32))
    np.savez("doubles.npz", features=np.zeros((2, 3)))
    np.savez("narrow.npz", features=np.zeros((2, 2), np.float32))
    before = sorted(folder.iterdir())
    assert said in refused(["validate", *arguments], capsys)
    assert sorted(folder.iterdir()) == before


def test_a_model_that_no_runtime_can_run_exits_with_2_and_one_line(folder, capsys):
    model = onnx.load("head.onnx")
    model.graph.node[1].op_type = "Softplunge"
    onnx.save(model, "unknown.onnx")
    assert "Softplunge" in refused(["validate", "unknown.onnx"], capsys)
