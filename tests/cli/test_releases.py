"""--for-runtime and ``for_runtime=`` of every command and function: a release that is not known is refused."""

import re

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from softops import export, opset
from softops.cli.main import run

WRONG = {
    "onnxruntime==99": r"onnxruntime such as 1\.17.*\(got '99'\).*0\.1 to 0\.5 and 1\.0 to 1\.\d\d",
    "onnxruntime==99.0": r"known here, 0\.1 to 0\.5 and 1\.0 to 1\.\d\d.*\(got '99\.0'\)",
    "onnxruntime==new": r"onnxruntime such as 1\.17.*\(got 'new'\).*0\.1 to 0\.5 and 1\.0 to 1\.\d\d",
    "onnxruntime==": r"such as onnxruntime==1\.17 \(got 'onnxruntime=='\).*0\.1 to 0\.5 and 1\.0 to 1\.\d\d",
    "tensorrt==10.0": r"onnxruntime, 0\.1 to 0\.5 and 1\.0 to 1\.\d\d \(got 'tensorrt'\)",
}
wrong = pytest.mark.parametrize("release", WRONG)
WEIGHT = np.ones((2, 3), np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", values[:1], values[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "model.onnx")
    np.savez("weights.npz", weight=WEIGHT)
    return tmp_path


@wrong
@pytest.mark.parametrize(
    "command",
    [
        ["inspect", "model.onnx"],
        ["convert", "model.onnx", "-o", "new.onnx"],
        ["export", "head", "weights.npz", "-o", "new.onnx"],
    ],
    ids=lambda command: command[0],
)
def test_commands(command, release, folder, capsys):
    assert run([*command, "--for-runtime", release]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert re.search(WRONG[release], error)
    assert not (folder / "new.onnx").exists()


FUNCTIONS = {
    "lint": lambda release: opset.lint("model.onnx", for_runtime=release),
    "convert_version": lambda release: opset.convert_version("model.onnx", for_runtime=release),
    "convert_file": lambda release: opset.convert_file("model.onnx", None, "new.onnx", for_runtime=release),
    "classifier_head": lambda release: export.classifier_head(WEIGHT, for_runtime=release),
    "lm_head": lambda release: export.lm_head(WEIGHT, for_runtime=release),
    "policy_head": lambda release: export.policy_head(2, for_runtime=release),
    "loss": lambda release: export.loss(2, for_runtime=release),
    "attention": lambda release: export.attention(2, 2, for_runtime=release),
}


@wrong
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function, release):
    with pytest.raises((LookupError, ValueError), match=WRONG[release]):
        FUNCTIONS[function](release)
