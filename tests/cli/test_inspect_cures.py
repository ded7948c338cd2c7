"""The commands that the warnings of `softops inspect` name: each is run, and the warning is gone."""

import json
import re
import shlex

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from softops.cli.main import run
from softops.opset.backend import prepare

N = helper.make_node
RELEASE = "onnxruntime==1.17"


def model(*nodes, opset, shape=("n", 3, 4), dtype=TensorProto.FLOAT, ir_version=8):
    values = [helper.make_tensor_value_info(name, dtype, shape) for name in ("x", nodes[-1].output[0])]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:])
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def report(path, capsys):
    assert run(["inspect", path, "--json", "--for-runtime", RELEASE]) == 0
    return json.loads(capsys.readouterr().out)


def outputs(path):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    return prepare(path).run([x])[0]


LOG_SOFTMAX = [N("Softmax", ["x"], ["p"], axis=1), N("Log", ["p"], ["y"])]
# The trap, and whether its cure keeps what the model computes.
TRAPS = {
    **{
        f"flatten-rule {op_type} {axis}": (model(N(op_type, ["x"], ["y"], axis=axis), opset=11), True)
        for op_type in ("Softmax", "LogSoftmax", "Hardmax")
        for axis in (0, 1, -2)
    },
    "flatten-rule unknown": (model(N("Softmax", ["x"], ["y"]), opset=9, shape=None), True),
    "log-of-softmax new": (model(*LOG_SOFTMAX, opset=17), True),
    "log-of-softmax old": (model(*LOG_SOFTMAX, opset=11), True),
    "softmax-after-softmax": (
        model(N("Softmax", ["x"], ["p"]), N("Softmax", ["p"], ["y"]), opset=17),
        False,
    ),
    "not-a-probability": (model(N("LogSoftmax", ["x"], ["probs"]), opset=17), False),
    "no-kernel": (model(N("Sigmoid", ["x"], ["y"]), opset=1, ir_version=3), True),
    "too-new opset": (model(N("Softmax", ["x"], ["y"], axis=1), opset=24, ir_version=12), True),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_command_of_the_cure_cures(trap, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = trap.split()[0]
    proto, kept = TRAPS[trap]
    onnx.save(proto, "trap.onnx")
    before = report("trap.onnx", capsys)
    (warning,) = (warning for warning in before["warnings"] if warning["code"] == code)
    (command,) = re.findall("`softops (.*?)`", warning["cure"])
    assert run([*shlex.split(command), "trap.onnx", "-o", "cured.onnx"]) == 0
    capsys.readouterr()
    after = report("cured.onnx", capsys)
    assert code not in {warning["code"] for warning in after["warnings"]}
    if kept:
        np.testing.assert_allclose(outputs("cured.onnx"), outputs("trap.onnx"), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [9, 12])
@pytest.mark.parametrize("axis", range(-3, 3))
def test_inspect_convert_and_backend_agree_on_the_axis(axis, opset, tmp_path, monkeypatch, capsys):
    """What the table says a node works along sums to one, before and after a conversion there and back."""
    monkeypatch.chdir(tmp_path)
    onnx.save(model(N("Softmax", ["x"], ["y"], axis=axis), opset=opset, shape=(2, 3, 4)), "old.onnx")
    assert run(["convert", "old.onnx", "--opset", "21", "-o", "new.onnx"]) == 0
    assert run(["convert", "new.onnx", "--opset", str(opset), "-o", "back.onnx"]) == 0
    capsys.readouterr()
    (node,) = report("old.onnx", capsys)["nodes"]
    sums = {
        path: outputs(path).sum(tuple(node["works_along"])) for path in ("old.onnx", "new.onnx", "back.onnx")
    }
    for found in sums.values():
        np.testing.assert_allclose(found, 1, rtol=1e-5)
    (node,) = report("new.onnx", capsys)["nodes"]
    assert (node["axis_rule"], len(node["works_along"])) == ("single", 1)
    (back,) = report("back.onnx", capsys)["nodes"]
    assert back["axis_rule"] == "flatten"
    assert back["elements"] == node["elements"]
