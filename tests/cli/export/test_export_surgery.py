"""`softops export append`, `strip`, `replace`, `fuse`, `decompose`: what they write, print and refuse."""

import sys
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser
from refusals import refused
from rich.console import Console
from scipy.special import softmax

from softops.cli.export import before_after
from softops.cli.main import run
from softops.conformance.runtimes.softops import SoftopsRuntime
from softops.export import classifier_head

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x) => (float[N,3] logits, float[N,3] p, float[N,3] q) {
    logits = Neg(x)  axes = Constant<value = int64[1] {1}>()
    e = Exp(logits)  t = ReduceSum(e, axes)  p = Div(e, t)  q = LogSoftmax(logits)
}
"""
X = np.array([[1, 2, -3], [0, 0, 5]], np.float32)
COMMANDS = {
    "append": ["--output", "logits"],
    "strip": ["--output", "q"],
    "replace": ["--activation", "hardmax", "--output", "q"],
    "fuse": [],
    "decompose": ["LogSoftmax"],
}
every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with model.onnx in it."""
    monkeypatch.chdir(tmp_path)
    onnx.save(parser.parse_model(MODEL), "model.onnx")
    return tmp_path


def outputs(path="new.onnx"):
    session = onnxruntime.InferenceSession(path)
    return dict(
        zip([value.name for value in session.get_outputs()], session.run(None, {"x": X}), strict=True)
    )


def command_line(command, *more, model="model.onnx"):
    return ["export", command, model, *COMMANDS[command], "-o", "new.onnx", *more]


@every_command
def test_what_was_changed_is_printed(folder, capsys, command):
    assert run(command_line(command)) == 0
    said = capsys.readouterr().out
    assert f"new.onnx  {(folder / 'new.onnx').stat().st_size} bytes, opset ai.onnx 17, IR version 8\n" in said
    assert "in   x float[N, 3]\n" in said
    assert "out  logits float[N, 3]" in said
    nodes = len(onnx.load("new.onnx").graph.node)
    changes = {
        "append": "+1 Softmax",
        "strip": "-1 LogSoftmax",
        "replace": "+1 Hardmax, -1 LogSoftmax",
        "fuse": "-1 Constant, -1 Div, -1 Exp, -1 ReduceSum, +1 Softmax",
        "decompose": "+1 Constant, +1 Exp, +1 Log, -1 LogSoftmax, +1 ReduceMax, +1 ReduceSum, +2 Sub",
    }
    assert f"nodes 6 → {nodes}: {changes[command]}\n" in said


@every_command
def test_check_compares_before_and_after(folder, capsys, command):
    assert run(command_line(command, "--check")) == 0
    said = capsys.readouterr().out
    assert "logits: same bits\n" in said
    assert "as it should be" in said
    words = {
        "append": "probabilities: new\n",
        "strip": "q: gone\n",
        "replace": "q: replaced\n",
        "fuse": "p: ",
        "decompose": "q: ",
    }
    assert words[command] in said


@pytest.mark.parametrize(
    ("before", "after", "kept", "good"),
    [
        ([1.0, 2.0], [1.0, 2.0], "same", True),
        ([1.0, 2.0], [1.0, np.nextafter(2.0, 3)], "same", False),
        ([0.0], [-0.0], "same", False),
        ([1.0, 2.0], [1.0, np.nextafter(2.0, 3)], "close", True),
        ([1.0, 2.0], [1.0, 2.01], "close", False),
        ([np.nan, 2.0], [1.0, 2.0], "close", True),
        ([1.0], [np.nan], "close", False),
        ([1.0, 2.0], [0.0, 5.0], "but one", True),
        ([1.0], [1.0, 1.0], "close", False),
        (["a"], ["b"], "close", False),
        ([1], [2], "close", False),
    ],
)
def test_the_judgement_of_check(capsys, before, after, kept, good):
    old, new = {"y": np.array(before), "gone": np.array(1)}, {"y": np.array(after), "new": np.array(1)}
    assert before_after.compare_outputs(Console(), old, new, kept) is good
    assert ("changed" in capsys.readouterr().out) is not good


def test_bfloat16_is_run_and_compared(folder, capsys):
    half = ml_dtypes.bfloat16
    classifier_head(X, dtype=half, path="half.onnx")
    assert run(["export", "decompose", "half.onnx", "Softmax", "-o", "new.onnx", "--check"]) == 0
    said = capsys.readouterr().out
    assert "label: same bits\n" in said
    assert "probabilities: " in said
    old, near = {"y": np.array([1, 2], half)}, {"y": np.array([1, 2.015625], half)}
    assert before_after.compare_outputs(Console(), old, near, "close")
    assert "within 0.0078125 of before (at most 1 ULP apart)" in capsys.readouterr().out
    assert not before_after.compare_outputs(Console(), old, {"y": np.array([1, 2.1], half)}, "close")


def test_sequences_are_judged_as_a_whole(capsys):
    old = {"y": [{"a": 1.0}], "z": [np.ones(2), np.ones(3)]}
    assert before_after.compare_outputs(
        Console(), old, {"y": [{"a": 1.0}], "z": [np.ones(2), np.ones(3)]}, "same"
    )
    assert not before_after.compare_outputs(Console(), old, {"y": [{"a": 2.0}], "z": [np.ones(2)]}, "close")


def test_an_output_that_changed_fails_the_check(folder, capsys, monkeypatch):
    def wrong(model, output, name):
        changed = onnx.load(model)
        changed.graph.node[0].op_type = "Abs"
        return changed

    monkeypatch.setattr("softops.export.strip_head", wrong)
    assert run(command_line("strip", "--check")) == 1
    said = capsys.readouterr().out
    assert "logits: changed (at most" in said
    assert "new.onnx was not written" in said
    assert not (folder / "new.onnx").exists()


def test_check_finds_tensors_in_other_files(folder, capsys):
    (folder / "from").mkdir()
    (folder / "to").mkdir()
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x) => (float[N,3] y) { y = MatMul(x, w) }'
    )
    model.graph.initializer.append(weight)
    onnx.save(model, "from/model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    command = ["export", "append", "from/model.onnx", "-o", "to/new.onnx", "--check"]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "y: same bits\n" in said
    assert "with its tensors in w.bin\n" in said
    assert sorted(path.name for path in (folder / "to").iterdir()) == ["new.onnx", "w.bin"]
    np.testing.assert_allclose(outputs("to/new.onnx")["probabilities"], softmax(X, axis=1), rtol=1e-5)


def test_labels_and_top_k_are_appended(folder):
    (folder / "names.txt").write_text("cat\n[b]dog[/b]\nnaïve\n", "utf-8")
    more = ["--labels", "names.txt", "--top-k", "2", "--temperature", "2", "--axis", "1"]
    assert run(command_line("append", *more)) == 0
    after = outputs()
    assert after["label"].tolist() == ["naïve", "cat"]
    assert after["top_k_labels"].tolist() == [["naïve", "cat"], ["cat", "[b]dog[/b]"]]
    np.testing.assert_allclose(after["probabilities"], softmax(-X / 2, axis=1), rtol=1e-5)


def test_names_are_chosen_and_the_output_may_go(folder):
    more = ["--name", "probabilities=s", "--name", "top_k_values=best", "--top-k", "1", "--drop-output"]
    assert run(command_line("append", *more, "--check")) == 0
    assert list(outputs()) == ["p", "q", "s", "best", "top_k_indices"]
    assert run(["export", "strip", "model.onnx", "--output", "q", "--name", "z", "-o", "b.onnx"]) == 0
    assert list(outputs("b.onnx")) == ["logits", "p", "z"]


@pytest.mark.parametrize("opset", [7, 9, 17, 21])
@pytest.mark.parametrize("kind", ["float", "double", "float16"])
def test_check_judges_what_was_appended(folder, capsys, opset, kind):
    text = f'<ir_version: {3 if opset < 9 else 8}, opset_import: ["" : {opset}]> '
    text += f"g ({kind}[N,4,3] x) => ({kind}[N,4,3] y) {{ y = Neg(x) }}"
    onnx.save(parser.parse_model(text), "deep.onnx")
    more = ["--axis", "1", "--top-k", "2", "--temperature", "2", "-o", "new.onnx", "--check"]
    assert run(["export", "append", "deep.onnx", *more]) == 0
    said = capsys.readouterr().out
    assert f"onnxruntime {onnxruntime.__version__} computes what was appended right.\n" in said


def test_an_appended_head_that_onnxruntime_computes_wrong_fails_the_check(folder, capsys, monkeypatch):
    class Sloppy(SoftopsRuntime):
        """A runtime whose floats are off by a thousandth."""

        name = "onnxruntime"

        def load(self, model):
            right = super().load(model)
            return lambda feeds: [x * np.float32(1.001) if x.dtype.kind == "f" else x for x in right(feeds)]

    entry = SimpleNamespace(load=lambda: lambda options: Sloppy())
    monkeypatch.setattr(
        sys.modules["softops.conformance.runtimes.names"], "_entries", lambda: {"onnxruntime": entry}
    )
    assert run(command_line("append", "--check")) == 1
    said = capsys.readouterr().out
    assert "logits: same bits\n" in said
    assert "Wrong: probabilities" in said
    assert "computes what was appended wrong.\nnew.onnx was not written.\n" in said
    assert not (folder / "new.onnx").exists()


def test_the_model_itself_may_be_overwritten_by_force(folder, capsys):
    before = outputs("model.onnx")
    command = ["export", "fuse", "model.onnx", "-o", "model.onnx"]
    assert "--force" in refused(command, capsys)
    assert run([*command, "--force", "--check"]) == 0
    assert [node.op_type for node in onnx.load("model.onnx").graph.node] == ["Neg", "Softmax", "LogSoftmax"]
    np.testing.assert_allclose(outputs("model.onnx")["p"], before["p"], rtol=1e-6)


def test_nothing_to_fuse_is_said(folder, capsys):
    run(command_line("fuse"))
    capsys.readouterr()
    assert run(["export", "fuse", "new.onnx", "-o", "again.onnx"]) == 0
    assert "nodes 3 → 3: none added or removed\n" in capsys.readouterr().out


@every_command
@pytest.mark.parametrize("content", [None, b"", b"no model", b"\x80\x04K\x01."])
def test_what_is_no_model_is_refused(folder, capsys, command, content):
    if content is not None:
        (folder / "other.onnx").write_bytes(content)
    assert "other.onnx" in refused(command_line(command, model="other.onnx"), capsys)
    assert not (folder / "new.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["append", "model.onnx"], "none was named"),
        (["append", "model.onnx", "--output", "r"], "among logits, p, q (got 'r')"),
        (["append", "model.onnx", "--output", "logits", "--activation", "relu"], "relu"),
        (["append", "model.onnx", "--output", "logits", "--top-k", "9"], "from 1 to 3"),
        (["append", "model.onnx", "--output", "logits", "--labels", "model.onnx"], "UTF-8"),
        (["append", "model.onnx", "--output", "logits", "--labels", "no.txt"], "no.txt"),
        (["append", "model.onnx", "--output", "logits", "--temperature", "0"], "temperature above 0"),
        (["append", "model.onnx", "--output", "logits", "--name", "probabilities"], "--name a=b"),
        (["append", "model.onnx", "--output", "logits", "--name", "label=x"], "got one for 'label'"),
        (
            ["append", "model.onnx", "--output", "logits", "--name", "probabilities=x"],
            "free in the model (got 'x')",
        ),
        (["strip", "model.onnx", "--output", "logits"], "no head to strip"),
        (["replace", "model.onnx", "--activation", "relu"], "relu"),
        (["replace", "model.onnx"], "activation"),
        (["decompose", "model.onnx", "Sigmoid"], "a model with Sigmoid"),
        (["decompose", "model.onnx", "softmax"], "'softmax'"),
        (["decompose", "model.onnx"], "OPERATOR"),
        (["fuse"], "MODEL"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(folder, capsys, arguments, said):
    assert said in refused(["export", *arguments, "-o", "new.onnx"], capsys)
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]


def test_check_of_a_model_that_onnxruntime_does_not_run_says_so(folder, capsys):
    text = '<ir_version: 8, opset_import: ["" : 17]> g (double[N,3] x) => (double[N,3] y) { y = Hardmax(x) }'
    onnx.save(parser.parse_model(text), "model.onnx")
    command = ["export", "strip", "model.onnx", "-o", "new.onnx", "--check"]
    assert "runs before the change" in refused(command, capsys)
    assert not (folder / "new.onnx").exists()


def test_check_without_inputs_to_make_up_is_refused_before_anything_is_written(folder, capsys):
    text = '<ir_version: 8, opset_import: ["" : 17]> g (string[N] s, float[N] x) => (float[N] y) { y = Sigmoid(x) }'
    onnx.save(parser.parse_model(text), "model.onnx")
    assert "input s" in refused(["export", "strip", "model.onnx", "-o", "new.onnx", "--check"], capsys)
    assert not (folder / "new.onnx").exists()
    assert run(["export", "strip", "model.onnx", "-o", "new.onnx"]) == 0


def test_check_lets_results_near_zero_be(folder, capsys):
    # Sums of 64 terms of either sign: near 0 the last bits of the terms are much of what is left.
    random = np.random.default_rng(0)
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[400,64] x) => (float[400,64] y) <float[64,64] w> { s = Sigmoid(x) y = MatMul(s, w) }
    """)
    weight = random.standard_normal((64, 64)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    onnx.save(model, "near.onnx")
    np.savez("near.npz", x=random.standard_normal((400, 64)).astype(np.float32))
    command = ["export", "decompose", "near.onnx", "Sigmoid", "-o", "far.onnx", "--check"]
    assert run(command) == 0
    capsys.readouterr()
    assert run([*command, "--force", "--inputs", "near.npz"]) == 0
    assert "In onnxruntime, on near.npz: as it should be." in capsys.readouterr().out
    assert "--check" in refused([*command[:-1], "--force", "--inputs", "near.npz"], capsys)


def test_check_still_finds_what_is_off_by_more_than_a_thousandth_of_the_row(capsys):
    old = {"y": np.array([[1e-6, 18.0]], np.float32)}
    for error, good in ((4e-6, True), (0.017, True), (0.02, False)):
        new = {"y": old["y"] + np.float32([error, 0])}
        assert before_after.compare_outputs(Console(), old, new, "close") is good


def test_check_takes_several_rows_of_one_number_together():
    old = {"y": np.array([[1e-6], [18.0]], np.float32)}
    near, far = {"y": old["y"] + np.float32(4e-6)}, {"y": old["y"] + np.float32(0.02)}
    assert before_after.compare_outputs(Console(), old, near, "close")
    assert not before_after.compare_outputs(Console(), old, far, "close")
