"""`softops validate`: its verdicts, its exit codes and what it refuses."""

import json
import re
import sys

import numpy as np
import onnx
import pytest
from refusals import refused

from softops.cli.main import run
from softops.export import classifier_head


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with head.onnx (3 features, 4 classes) and features.npz in it."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    classifier_head(random.normal(size=(4, 3)).astype(np.float32), path="head.onnx")
    np.savez("features.npz", features=random.normal(size=(6, 3)).astype(np.float32))
    return tmp_path


SLOPPY = """
import numpy as np
from softops.conformance.runtimes.softops import SoftopsRuntime

class Sloppy(SoftopsRuntime):
    name = "sloppy"

    def load(self, model):
        right = super().load(model)
        return lambda feeds: [x * np.float32(1.001) if x.dtype.kind == "f" else x for x in right(feeds)]

def from_options(options):
    return Sloppy()

def broken(options):
    class Broken:
        def run(self, model, feeds):
            raise RuntimeError("out of order")
    return Broken()
"""


@pytest.fixture
def sloppy(folder, monkeypatch):
    """A package that declares two runtimes: sloppy, whose floats are off by a thousandth, and broken."""
    installed = folder / "site"
    about = installed / "sloppy_runtime-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sloppy-runtime\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[softops.runtimes]\nsloppy = sloppy_runtime:from_options\nbroken = sloppy_runtime:broken\n"
    )
    (installed / "sloppy_runtime.py").write_text(SLOPPY)
    monkeypatch.syspath_prepend(installed)
    yield
    sys.modules.pop("sloppy_runtime", None)


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


def test_a_wrong_runtime_exits_with_1_and_says_where(sloppy, capsys):
    assert run(["validate", "head.onnx", "--runtime", "sloppy"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "Wrong: probabilities[" in out
    assert re.search(r"^ probabilities .* of 1,024 wrong ?$", out, re.MULTILINE)
    assert "The first wrong node of the softmax family is probabilities (Softmax-13)." in out
    assert "computes head.onnx wrong" in out.splitlines()[-1]


def test_several_runtimes_are_compared_with_ours_and_with_one_another(sloppy, capsys):
    assert run(["validate", "head.onnx", "--runtime", "onnxruntime", "--runtime", "sloppy"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "onnxruntime against softops" in out
    assert "onnxruntime against sloppy" in out
    assert "onnxruntime against sloppy: other bits from probabilities (Softmax-13) on" in out
    *_, first, second = [line for line in out.splitlines() if " computes " in line]
    assert first.endswith("computes head.onnx right on generated inputs.")
    assert second.endswith("computes head.onnx wrong on generated inputs.")


def test_what_could_not_be_run_beside_a_right_runtime_exits_with_2(sloppy, capsys):
    assert run(["validate", "head.onnx", "--runtime", "softops", "--runtime", "broken"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert "computes head.onnx right" in out
    assert "Not run: broken: " in out
    assert "out of order" in out


def test_nothing_compared_exits_with_3(folder, capsys):
    np.savez("none.npz", features=np.zeros((0, 3), np.float32))
    assert run(["validate", "head.onnx", "--inputs", "none.npz"]) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert "nothing was compared" in out
    assert out.splitlines()[-1].endswith("no verdict on head.onnx.")


def test_families_are_aimed_at_the_logits_and_it_is_said_how(folder, capsys):
    assert run(["validate", "head.onnx", "--family", "ties", "--family", "minus-inf-some"]) == 0
    out = capsys.readouterr().out
    assert out.count("the model is cut at logits") == 1  # 3 features do not reach 4 logits; said once
    assert out.splitlines()[-1].endswith("right on generated inputs (minus-inf-some).")
    assert run(["validate", "head.onnx", "--family", "all", "--batch", "20"]) == 0
    assert capsys.readouterr().out.count("computes head.onnx right") > 20


def test_a_report_in_a_folder_has_every_form_and_a_page_for_each(folder, capsys):
    options = ["--family", "ties", "--family", "gaps", "--report", "found"]
    assert run(["validate", "head.onnx", *options]) == 0
    names = sorted(path.name for path in (folder / "found").iterdir())
    assert names[-3:] == ["report.html", "report.json", "report.md"]
    assert [name for name in names if name.startswith(("01-", "02-"))] == names[:2]
    assert json.loads((folder / "found/report.json").read_text("utf-8"))["passed"] is True
    page = (folder / "found/report.html").read_text("utf-8")
    assert all(f'href="{name}"' in page for name in names[:2])


def test_the_report_is_written_where_it_is_asked_for(folder, capsys):
    assert run(["validate", "head.onnx", "--report", "page.html"]) == 0
    page = (folder / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "probabilities" in page


def test_json_is_for_machines(folder, capsys):
    assert run(["validate", "head.onnx", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [report["verdict"] for report in json.loads(out)["reports"]] == ["right"]


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
        (["head.onnx", "--report", "features.npz"], "folder"),
        (["head.onnx", "--family", "zork"], "zork"),
        (["head.onnx", "--family", "ties", "--inputs", "features.npz"], "leave one out"),
        (["head.onnx", "--labels", "y"], "--labels"),
        (["head.onnx", "--max-ulp", "-1"], "max_ulp"),
        (["head.onnx", "--runtime", "softops", "--runtime", "softops"], "each once"),
        (["head.onnx", "--dataset", "features.npz", "--family", "ties"], "--family"),
        (["head.onnx", "--dataset", "names.npz"], "features"),
        (["head.onnx", "--dataset", "features.npz", "--labels", "truth"], "truth"),
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


def test_known_deviations_exit_with_0_and_are_named(folder, capsys):
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] x) => (float[N,6] y) { s = Sigmoid(x) y = Mul(x, s) }
    """)
    onnx.save(model, "silu.onnx")
    np.savez("x.npz", x=np.linspace(-30, 30, 60, dtype=np.float32).reshape(10, 6))
    assert run(["validate", "silu.onnx", "--inputs", "x.npz"]) == 0
    out = capsys.readouterr().out
    assert "Known: Sigmoid-13 that gives s" in out
    assert out.endswith("computes silu.onnx right but for known deviations.\n")


def test_what_cannot_be_told_exits_with_3_and_says_why(folder, capsys):
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        net (float[N,6] x) => (float[N,6] p) { a = com.microsoft.QuickGelu(x) p = Softmax(a) }
    """)
    onnx.save(model, "foreign.onnx")
    assert run(["validate", "foreign.onnx"]) == 3
    out = capsys.readouterr().out
    assert "Cannot tell: com.microsoft.QuickGelu is not judged" in out
    assert "right cannot be told" in out.splitlines()[-1]
    assert run(["validate", "foreign.onnx", "--report", "page.html"]) == 3
    assert "cannot be told" in (folder / "page.html").read_text("utf-8")


def test_the_shape_of_inputs_is_chosen(folder, capsys):
    assert run(["validate", "head.onnx", "--shape", "features=2,3"]) == 0
    assert "float32[2,4]" in capsys.readouterr().out
    for wrong in ("features", "=1,2", "features=1,x", "features=2,5", "other=2,3"):
        assert "expected" in refused(["validate", "head.onnx", "--shape", wrong], capsys)
    assert "--shape" in refused(
        ["validate", "head.onnx", "--shape", "features=2,3", "--inputs", "features.npz"], capsys
    )


def test_an_invalid_model_is_never_called_wrong(folder, capsys):
    model = onnx.load("head.onnx")
    model.graph.node[1].domain = "nowhere"
    onnx.save(model, "nowhere.onnx")
    assert "nowhere" in refused(["validate", "nowhere.onnx"], capsys)
