"""`softops validate --expected`: outputs from elsewhere, their verdicts, exit codes and what is refused."""

import json
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
from refusals import refused

from softops.cli.main import run

MODEL = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N,6] x) => (float[N,4] p, int64[N] label) {
        hidden = MatMul(x, w)
        shifted = Add(hidden, b)
        p = Softmax(shifted)
        label = ArgMax <axis = 1, keepdims = 0> (p)
    }
"""
COMMAND = ["validate", "net.onnx", "--inputs", "x.npz", "--expected"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with net.onnx, x.npz, and y.npz of what onnxruntime makes of it."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    model = onnx.parser.parse_model(MODEL)
    for name, shape in (("w", (6, 4)), ("b", (4,))):
        array = random.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, "net.onnx")
    np.savez("x.npz", x=random.normal(size=(5, 6)).astype(np.float32))
    np.savez("y.npz", **made())
    return tmp_path


def made(*between):
    """What onnxruntime makes of x.npz, with tensors in between."""
    model = onnx.load("net.onnx")
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in between)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(np.load("x.npz"))), strict=True))


def shown(arguments, capsys, code=0):
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_what_rounding_explains_exits_with_0(folder, capsys):
    out = shown([*COMMAND, "y.npz"], capsys)
    assert "float32[5,4]" in out
    assert out.splitlines()[-1] == "How y.npz differs from net.onnx is explained by rounding."


def test_what_rounding_does_not_explain_exits_with_1_and_names_the_worst(folder, capsys):
    outputs = made()
    outputs["p"][3, 1] += 1e-3
    np.savez("off.npz", **outputs)
    out = shown([*COMMAND, "off.npz"], capsys, code=1)
    assert "Wrong: p: not explained" in out
    assert "[3, 1]" in out
    assert out.splitlines()[-1] == "How off.npz differs from net.onnx is not explained by rounding."


def test_the_first_tensor_that_leaves_the_noise_is_named(folder, capsys):
    outputs = made("hidden", "shifted")
    np.savez("whole.npz", **outputs)
    assert "Every intermediate tensor is within the noise." in shown([*COMMAND, "whole.npz"], capsys)
    outputs["shifted"] = outputs["shifted"] + np.float32(0.01)
    outputs["p"] = outputs["p"] + np.float32(0.01)
    np.savez("off.npz", **outputs)
    out = shown([*COMMAND, "off.npz"], capsys, code=1)
    assert "The first tensor to leave the noise, of those given, is shifted (" in out


def test_other_decisions_exit_with_1(folder, capsys):
    outputs = made()
    outputs["label"] = (outputs["label"] + 1) % 4
    np.savez("others.npz", **outputs)
    out = shown([*COMMAND, "others.npz"], capsys, code=1)
    assert "decide differently" in out.splitlines()[-1]


def test_what_cannot_be_told_exits_with_3(folder, capsys):
    """A value in the middle of two steps of quantisation: both are right, and only one is that of the exact run."""
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,3] x) => (float[1,3] y) {
            step = Constant <value_float = 0.1> ()
            zero = Constant <value = int8 {0}> ()
            third = Constant <value_float = 0.3333333> ()
            h = Mul(x, third)
            q = QuantizeLinear(h, step, zero)
            y = DequantizeLinear(q, step, zero)
        }
    """
    onnx.save(onnx.parser.parse_model(text), "steps.onnx")
    np.savez("tie.npz", x=np.full((1, 3), 0.75, np.float32))
    arguments = ["validate", "steps.onnx", "--inputs", "tie.npz", "--expected"]
    verdicts = {}
    for name, value in (("lower", 0.2), ("higher", 0.3)):
        np.savez(f"{name}.npz", y=np.full((1, 3), value, np.float32))
        code = run([*arguments, f"{name}.npz"])
        verdicts[code] = capsys.readouterr().out
    assert set(verdicts) == {0, 3}
    assert "Cannot tell: y: not decidable" in verdicts[3]
    assert verdicts[3].splitlines()[-1].endswith("cannot be told.")


def test_nothing_to_compare_exits_with_3(folder, capsys):
    np.savez("x.npz", x=np.zeros((0, 6), np.float32))
    np.savez("none.npz", p=np.zeros((0, 4), np.float32), label=np.zeros(0, np.int64))
    assert "Nothing of none.npz" in shown([*COMMAND, "none.npz"], capsys, code=3)


def test_json_is_for_machines(folder, capsys):
    record = json.loads(shown([*COMMAND, "y.npz", "--json", "--samples", "20", "--seed", "3"], capsys))
    assert record["passed"] is True
    assert record["verdict"] == "explained by rounding"
    assert (record["samples"], record["seed"]) == (20, 3)
    assert set(record["outputs"]) == {"p", "label"}


def test_the_report_has_every_form(folder, capsys):
    np.savez("whole.npz", **made("hidden"))
    shown([*COMMAND, "whole.npz", "--report", "found"], capsys)
    assert json.loads((folder / "found/report.json").read_text("utf-8"))["passed"] is True
    text = (folder / "found/report.md").read_text("utf-8")
    assert text.startswith("# whole.npz beside net.onnx: explained by rounding")
    assert "| hidden |" in text
    page = (folder / "found/report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "hidden" in page


def test_names_are_printed_as_they_are(folder, capsys):
    model = onnx.load("net.onnx")
    model.graph.output[0].name = model.graph.node[2].output[0] = model.graph.node[3].input[0] = (
        "[red]p|\x1b[/red]"
    )
    onnx.save(model, "net.onnx")
    outputs = made()
    outputs["[red]p|\x1b[/red]"][0, 0] = 2
    from softops.conformance.elsewhere.saved_arrays import write_arrays

    write_arrays(folder / "odd.npz", outputs)
    out = shown([*COMMAND, "odd.npz", "--report", "page.md"], capsys, code=1)
    assert "Wrong: [red]p|\\x1b[/red]: not explained" in out
    assert "\x1b" not in out


class Evil:
    """A pickle that writes a file when it is loaded."""

    def __reduce__(self):
        return (open, ("pwned", "w"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.npz"], "missing.npz"),
        (["net.onnx"], "expected a .npz file"),
        (["pickled.npz"], "Python objects"),
        (["pickle.npz"], "expected a .npz file"),
        (["less.npz"], "none for label"),
        (["more.npz"], "the model has no zork"),
        (["narrow.npz"], "expected p of shape [5, 4] for these inputs (got [5, 3])"),
        (["doubles.npz"], "expected p in float32 (got float64)"),
        (
            ["nan.npz"],
            "expected p without NaN where the model makes a number of these inputs (got NaN in 1 of 20 elements",
        ),
        (["nan.npz", "--json"], "the first at [2, 3]); look for an overflow"),
        (["y.npz", "--runtime", "softops"], "--runtime"),
        (["y.npz", "--batch", "3"], "--batch"),
        (["y.npz", "--shape", "x=3,6"], "--shape"),
        (["y.npz", "--family", "ties"], "--family"),
        (["y.npz", "--dataset", "x.npz"], "--dataset"),
        (["y.npz", "--max-ulp", "3"], "--max-ulp"),
        (["y.npz", "--samples", "1"], "--samples"),
        (["y.npz", "--dtype", "float12"], "float12"),
        (["y.npz", "--report", "missing/page.html"], "missing"),
    ],
)
def test_what_cannot_be_compared_exits_with_2_one_line_and_nothing_written(folder, capsys, arguments, said):
    outputs = made()
    np.savez("less.npz", p=outputs["p"])
    np.savez("more.npz", **outputs, zork=outputs["p"])
    np.savez("narrow.npz", p=outputs["p"][:, :3], label=outputs["label"])
    np.savez("doubles.npz", p=outputs["p"].astype(float), label=outputs["label"])
    outputs["p"][2, 3] = np.nan
    np.savez("nan.npz", **outputs)
    np.savez("pickled.npz", p=np.array([Evil()], object), label=outputs["label"])
    (folder / "pickle.npz").write_bytes(pickle.dumps(outputs))
    before = sorted(folder.iterdir())
    report = [] if "--report" in arguments else ["--report", "page.html"]
    assert said in refused([*COMMAND, *arguments, *report], capsys)
    assert sorted(folder.iterdir()) == before


def test_inputs_are_asked_for(folder, capsys):
    assert "expected inputs named x" in refused(["validate", "net.onnx", "--expected", "y.npz"], capsys)


def test_options_of_it_are_refused_without_it(folder, capsys):
    for option in (["--samples", "4"], ["--dtype", "float16"]):
        assert "--expected" in refused(["validate", "net.onnx", *option], capsys)


def test_an_output_that_is_a_sequence_is_refused(folder, capsys):
    text = '<ir_version: 8, opset_import: ["" : 17]> net (float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x) }'
    onnx.save(onnx.parser.parse_model(text), "list.onnx")
    np.savez("two.npz", x=np.zeros(2, np.float32))
    arguments = ["validate", "list.onnx", "--inputs", "two.npz", "--expected", "y.npz"]
    assert "y is a sequence" in refused(arguments, capsys)
