"""`softops convert`: what it writes and says, and what it refuses."""

import numpy as np
import onnx
import onnxruntime
import pytest
from refusals import refused

from softops.cli.main import run

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
TEXT = (
    '<ir_version: 7, opset_import: ["": 12]> g (float[N, 3, 4] x) => (float[N, 3, 4] y) '
    "{ y = Softmax <axis = 1> (x) }"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with old.onnx in it."""
    monkeypatch.chdir(tmp_path)
    onnx.save(onnx.parser.parse_model(TEXT), "old.onnx")
    return tmp_path


def outputs(path):
    return onnxruntime.InferenceSession(path).run(None, {"x": X})[0]


def test_there_and_back(folder, capsys):
    assert run(["convert", "old.onnx", "--opset", "21", "-o", "new.onnx"]) == 0
    said = capsys.readouterr().out
    assert f"new.onnx  {(folder / 'new.onnx').stat().st_size} bytes, opset 12 → 21\n" in said
    assert "added 1 Flatten, 1 Reshape; 3 nodes in all, IR version 10\n" in said
    assert run(["convert", "new.onnx", "--opset", "12", "--out", "back.onnx"]) == 0
    np.testing.assert_array_equal(outputs("new.onnx"), outputs("old.onnx"))
    np.testing.assert_array_equal(outputs("back.onnx"), outputs("old.onnx"))


def test_at_the_target_already(folder, capsys):
    assert run(["convert", "old.onnx", "--opset", "12", "-o", "same.onnx"]) == 0
    assert "opset 12 already, written as it is" in capsys.readouterr().out
    assert onnx.load("same.onnx") == onnx.load("old.onnx")


def test_a_file_is_overwritten_only_by_force(folder, capsys):
    (folder / "new.onnx").write_text("precious")
    command = ["convert", "old.onnx", "--opset", "13", "-o", "new.onnx"]
    assert "--force" in refused(command, capsys)
    assert (folder / "new.onnx").read_text() == "precious"
    assert run([*command, "--force"]) == 0
    np.testing.assert_array_equal(outputs("new.onnx"), outputs("old.onnx"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["old.onnx", "--opset", "99"], "expected an opset of ai.onnx from 1 to"),
        (["old.onnx", "--opset", "0"], "expected an opset of ai.onnx from 1 to"),
        (["old.onnx", "--opset", "latest"], "valid integer"),
        (["old.onnx"], "--opset"),
        (["nowhere.onnx", "--opset", "13"], "no file at nowhere.onnx"),
        (["rubbish.onnx", "--opset", "13"], "expected an ONNX model"),
        ([".", "--opset", "13"], "got the folder"),
        (["grid.onnx", "--opset", "13"], "GridSample 'act': it is new in opset 16"),
        (["old.onnx", "--for-runtime", "onnxruntime==1.4", "--opset", "13"], "up to 12, the newest that"),
        (["old.onnx", "--for-runtime", "tensorrt==10"], "got 'tensorrt'"),
        (["old.onnx", "--ir-version", "2"], "from 3 to"),
    ],
)
def test_refused_in_one_line(folder, capsys, arguments, said):
    (folder / "rubbish.onnx").write_bytes(bytes(range(256)))
    shapes = "g (float[1,1,2,2] x, float[1,2,2,2] i) => (float[1,1,2,2] y)"
    text = f'<ir_version: 8, opset_import: ["": 17]> {shapes} {{ [act] y = GridSample (x, i) }}'
    onnx.save(onnx.parser.parse_model(text), "grid.onnx")
    assert said in refused(["convert", *arguments, "-o", "new.onnx"], capsys)
    assert not (folder / "new.onnx").exists()


def test_a_folder_that_is_not_there(folder, capsys):
    assert "make it first" in refused(["convert", "old.onnx", "--opset", "13", "-o", "no/new.onnx"], capsys)


def test_for_a_runtime(folder, capsys):
    assert run(["convert", "old.onnx", "--opset", "21", "-o", "new.onnx"]) == 0
    capsys.readouterr()
    assert run(["convert", "new.onnx", "--for-runtime", "onnxruntime==1.17", "-o", "fit.onnx"]) == 0
    assert "opset 21 → 20" in capsys.readouterr().out
    model = onnx.load("fit.onnx")
    assert (model.opset_import[0].version, model.ir_version) == (20, 9)
    np.testing.assert_array_equal(outputs("fit.onnx"), outputs("old.onnx"))


def test_another_ir_version_alone(folder, capsys):
    assert run(["convert", "old.onnx", "--ir-version", "4", "-o", "new.onnx"]) == 0
    assert "opset 12 already, IR version 7 → 4" in capsys.readouterr().out
    assert (onnx.load("new.onnx").ir_version, onnx.load("old.onnx").ir_version) == (4, 7)
