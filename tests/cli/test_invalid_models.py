"""Models that onnx itself stumbles over: every command says so in a line, and 1 is never the exit code of an error."""

import contextlib

import onnx
import pytest
from onnx import TensorProto, helper

from softops.cli.main import run
from softops.conformance import validate
from softops.export import fuse, strip_head
from softops.opset import UnknownOpsetError, convert_version

N = helper.make_node
IMPORTS = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]


def model(*nodes, functions=(), imports=IMPORTS):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)


def own(*nodes):
    return helper.make_function("own", "F", ["a"], ["b"], list(nodes), IMPORTS)


def of_type(number):
    odd = model(N("Softmax", ["x"], ["y"]))
    odd.graph.input[0].type.tensor_type.elem_type = number
    return odd


CALL = N("F", ["x"], ["y"], domain="own")
SOFTMAX = own(N("Softmax", ["a"], ["b"]))
MODELS = {
    "domain not imported": model(CALL, imports=IMPORTS[:1]),
    "function twice": model(CALL, functions=[SOFTMAX, SOFTMAX]),
    "function that calls itself": model(CALL, functions=[own(N("F", ["a"], ["b"], domain="own"))]),
    "no element type": of_type(0),
    "element type 99": of_type(99),
    "element type below 0": of_type(-(2**31)),
    "more outputs than there are": model(N("Softmax", ["x"], ["y", "z", "w"])),
    "rank that contradicts": model(N("Flatten", ["x"], ["f"]), N("Flatten", ["f"], ["y"], axis=7)),
    "axis beyond 32 bits": model(N("Softmax", ["x"], ["y"], axis=2**40)),
    "axis far below 0": model(N("Softmax", ["x"], ["y"], axis=-(2**63))),
    "axis beyond 32 bits of a rank unknown": model(
        N("Own", ["x"], ["u"], domain="own"), N("Softmax", ["u"], ["y"], axis=2**40)
    ),
    "opset beyond 32 bits": model(N("Softmax", ["x"], ["y"]), imports=[helper.make_opsetid("", 2**40)]),
    "opset far below 0": model(N("Softmax", ["x"], ["y"]), imports=[helper.make_opsetid("", -(2**63))]),
    "inputs left out": model(N("Flatten", ["x"], ["f"]), N("ArgMax", [], ["y"])),
    "ai.onnx not imported": model(
        N("Exp", ["x"], ["e"]), N("ReduceSum", ["e"], ["s"]), N("Div", ["e", "s"], ["y"]), imports=IMPORTS[1:]
    ),
}
COMMANDS = {
    "inspect": ["inspect"],
    "convert up": ["convert", "--opset", "17", "-o", "o.onnx"],
    "convert down": ["convert", "--opset", "11", "-o", "o.onnx"],
    "validate": ["validate", "--report", "r.html"],
    "fuse": ["export", "fuse", "-o", "o.onnx"],
    "strip": ["export", "strip", "-o", "o.onnx"],
    "append": ["export", "append", "-o", "o.onnx"],
    "replace": ["export", "replace", "--by", "log_softmax", "-o", "o.onnx"],
    "decompose": ["export", "decompose", "--op", "Softmax", "-o", "o.onnx", "--check"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("broken", MODELS.values(), ids=MODELS)
def test_a_command_ends_in_a_line(broken, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    onnx.save(broken, "m.onnx")
    code = run([*words, "m.onnx"])
    told = capsys.readouterr().err
    assert code in (0, 2, 3)
    assert told.count("\n") <= 1
    assert "defect" not in told
    assert not list(tmp_path.glob(".*"))
    if code == 2 and words[0] != "validate":
        assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("broken", MODELS.values(), ids=MODELS)
def test_a_function_raises_its_documented_errors(broken):
    for function in (lambda given: convert_version(given, 17), fuse, strip_head, validate):
        # Most of these are read by one function or another.
        with contextlib.suppress(ValueError, UnknownOpsetError):
            function(broken)


def test_a_defect_is_no_verdict(monkeypatch, capsys, tmp_path):
    def broken(*_, **__):
        return None.graph

    monkeypatch.setattr("softops.opset.convert.files.convert_file", broken)
    assert run(["convert", "m.onnx", "--opset", "13", "-o", str(tmp_path / "o.onnx")]) == 2
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert (
        told.splitlines()[-1] == "softops: this is a defect of softops; please report it with the lines above"
    )


def test_no_memory_is_a_line(monkeypatch, capsys, tmp_path):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("softops.opset.convert.files.convert_file", full)
    assert run(["convert", "m.onnx", "--opset", "13", "-o", str(tmp_path / "o.onnx")]) == 2
    assert capsys.readouterr().err.startswith("softops: expected enough memory")
