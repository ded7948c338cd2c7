"""`softops export head`: what it writes, and what it refuses."""

import numpy as np
import onnx
import onnxruntime
import pytest
from refusals import refused
from scipy.special import softmax

from softops.cli.main import run

WEIGHT = np.array([[1, -2], [0.5, 3], [-1, 0]], np.float32)
BIAS = np.array([0.25, 0, -1], np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with weights.npz in it."""
    monkeypatch.chdir(tmp_path)
    np.savez("weights.npz", weight=WEIGHT, bias=BIAS)
    return tmp_path


@pytest.mark.parametrize("opset", ["7", "12", "13", "17"])
def test_the_head_computes_softmax_of_the_weights(folder, capsys, opset):
    assert run(["export", "head", "weights.npz", "-o", "head.onnx", "--opset", opset]) == 0
    x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    label, probabilities = onnxruntime.InferenceSession("head.onnx").run(None, {"features": x})
    expected = softmax(x @ WEIGHT.T + BIAS, axis=1)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    np.testing.assert_array_equal(label, expected.argmax(1))

    said = capsys.readouterr().out
    assert f"{(folder / 'head.onnx').stat().st_size} bytes, opset ai.onnx {opset}" in said
    assert "in   features float[batch, 2]\n" in said
    assert "out  label int64[batch], probabilities float[batch, 3]\n" in said


def test_labels_come_from_a_text_file(folder):
    (folder / "names.txt").write_text("cat\n[b]dog[/b]\nnaïve\n\n", "utf-8")
    assert run(["export", "head", "weights.npz", "-o", "head.onnx", "--labels", "names.txt"]) == 0
    x = np.array([[9, 0], [0, 9], [-9, 0]], np.float32)
    label, _ = onnxruntime.InferenceSession("head.onnx").run(None, {"features": x})
    assert label.tolist() == ["cat", "[b]dog[/b]", "naïve"]


def test_labels_are_lines_whatever_is_in_them(folder):
    lines = ["a\u2028b\x85c\x0bd", " 😀 ", "[x] "]
    (folder / "names.txt").write_bytes("\r\n".join([*lines, " ", ""]).encode("utf-8-sig"))
    assert run(["export", "head", "weights.npz", "-o", "head.onnx", "--labels", "names.txt"]) == 0
    x = np.array([[9, 0], [0, 9], [-9, 0]], np.float32)
    label, _ = onnxruntime.InferenceSession("head.onnx").run(None, {"features": x})
    assert label.tolist() == lines


def test_without_bias_and_with_another_activation(folder):
    np.savez("bare.npz", weight=WEIGHT)
    assert run(["export", "head", "bare.npz", "-o", "head.onnx", "--activation", "none"]) == 0
    x = np.array([[1, 2]], np.float32)
    _, logits = onnxruntime.InferenceSession("head.onnx").run(None, {"features": x})
    np.testing.assert_array_equal(logits, x @ WEIGHT.T)


def test_a_file_is_overwritten_only_by_force(folder, capsys):
    (folder / "head.onnx").write_text("precious")
    command = ["export", "head", "weights.npz", "-o", "head.onnx"]
    assert "--force" in refused(command, capsys)
    assert (folder / "head.onnx").read_text() == "precious"
    assert run([*command, "--force"]) == 0
    onnx.checker.check_model("head.onnx")


def rubbish_weights():
    yield "matrix expected", {"weight": WEIGHT[0]}, "(2,)"
    yield "float expected", {"weight": WEIGHT.astype(int)}, "int64"
    yield "NaN", {"weight": WEIGHT * np.nan}, "nan"
    yield "bias of another length", {"weight": WEIGHT, "bias": BIAS[:2]}, "(2,)"
    yield "another name", {"coef_": WEIGHT}, "coef_"
    yield "an array too many", {"weight": WEIGHT, "intercept": BIAS}, "intercept"
    yield "Python objects", {"weight": np.array([{}, {}], object)}, "plain arrays"
    yield "no arrays", {}, "none"


@pytest.mark.parametrize(
    ("arrays", "said"), [pytest.param(*case, id=name) for name, *case in rubbish_weights()]
)
def test_wrong_arrays_are_named_and_nothing_is_written(folder, capsys, arrays, said):
    np.savez("wrong.npz", **arrays)
    assert said in refused(["export", "head", "wrong.npz", "-o", "head.onnx"], capsys)
    assert sorted(path.name for path in folder.iterdir()) == ["weights.npz", "wrong.npz"]


@pytest.mark.parametrize("content", [b"", b"weight = 1", b"PK\x03\x04 cut short", b"\x80\x04K\x01."])
def test_a_file_that_is_no_npz_is_refused(folder, capsys, content):
    (folder / "wrong.npz").write_bytes(content)
    assert "expected a .npz file" in refused(["export", "head", "wrong.npz", "-o", "head.onnx"], capsys)
    assert not (folder / "head.onnx").exists()


def test_a_damaged_npz_is_refused(folder, capsys):
    content = bytearray((folder / "weights.npz").read_bytes())
    content[content.index(b"descr") - 3] ^= 0xFF
    (folder / "wrong.npz").write_bytes(content)
    assert "expected a .npz file" in refused(["export", "head", "wrong.npz", "-o", "head.onnx"], capsys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--opset", "999"], "999"),
        (["--opset", "1"], "opset"),
        (["--activation", "gelu"], "gelu"),
        (["--labels", "missing.txt"], "missing.txt"),
        (["--labels", "weights.npz"], "UTF-8"),
        (["--labels", "two.txt"], "expected 3 labels"),
        (["--labels", "same.txt"], "more than once"),
    ],
)
def test_wrong_options_are_named_and_nothing_is_written(folder, capsys, options, said):
    (folder / "two.txt").write_text("a\nb\n")
    (folder / "same.txt").write_text("a\nb\na\n")
    assert said in refused(["export", "head", "weights.npz", "-o", "head.onnx", *options], capsys)
    assert list(folder.glob("*.onnx")) == []


@pytest.mark.parametrize("out", ["missing/head.onnx", "weights.npz/head.onnx", "/dev/null/head.onnx"])
def test_an_output_that_cannot_be_written_is_named(folder, capsys, out):
    assert "head.onnx" in refused(["export", "head", "weights.npz", "-o", out], capsys)


def test_missing_weights_are_named(folder, capsys):
    assert "missing.npz" in refused(["export", "head", "missing.npz", "-o", "head.onnx"], capsys)
