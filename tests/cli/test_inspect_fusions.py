"""`softops inspect --fusions`: what the backend computes as one, and why a near miss is none."""

import json

import onnx
import pytest
from onnx import parser

from softops.cli.main import run

BODY = """
    t = Transpose <perm = [0, 1, 3, 2]> (k)
    s = MatMul (q, t)
    p = Softmax <axis = -1> (s)
    y = MatMul (p, v)
    l = LogSoftmax <axis = -1> (q)
"""
INPUTS = "float[N,2,S,4] q, float[N,2,T,4] k, float[N,2,T,4] v"
OUTPUTS = "float[N,2,S,4] y, float[N,2,S,4] l"


def save(name, outputs=OUTPUTS, opset=17, body=BODY):
    head = f'<ir_version: 8, opset_import: ["" : {opset}]> net ({INPUTS}) => ({outputs})'
    onnx.save(parser.parse_model(f"{head} {{ {body} }}"), name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def printed(arguments, capsys):
    assert run(["inspect", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_what_is_found(folder, capsys):
    save("a.onnx")
    out = printed(["a.onnx", "--fusions"], capsys)
    assert "attention  MatMul s, Softmax p, MatMul y\n" in out
    assert out.endswith("1 computed as one, 0 near misses.\n")
    assert "attention  MatMul" not in printed(["a.onnx"], capsys)


@pytest.mark.parametrize(
    ("outputs", "opset", "body", "reason"),
    [
        (f"{OUTPUTS}, float[N,2,S,T] p", 17, BODY, "'p' inside is also an output"),
        (
            OUTPUTS,
            12,
            BODY.replace("p = Softmax <axis = -1>", "p = Softmax"),
            "opset 12's axis rule flattens axis 1 of rank 4 and all after it",
        ),
        (
            OUTPUTS,
            17,
            BODY.replace("p = Softmax <axis = -1>", "p = Softmax <axis = 2>"),
            "axis 2 is not the last of 4",
        ),
    ],
)
def test_why_a_near_miss_is_none(outputs, opset, body, reason, folder, capsys):
    save("a.onnx", outputs, opset, body)
    out = printed(["a.onnx", "--fusions"], capsys)
    assert f"not attention  MatMul s, Softmax p, MatMul y: {reason}\n" in out
    assert out.endswith("0 computed as one, 1 near miss.\n")


def test_nothing_to_find(folder, capsys):
    save("a.onnx", "float[N,2,S,4] l", body="l = LogSoftmax <axis = -1> (q)")
    assert printed(["a.onnx", "--fusions"], capsys).endswith("Nothing that the backend computes as one.\n")


def test_as_json(folder, capsys):
    save("a.onnx")
    (record,) = json.loads(printed(["a.onnx", "--fusions", "--json"], capsys))["fusions"]
    assert record == {
        "kind": "attention",
        "nodes": ["s", "p", "y"],
        "operators": ["MatMul", "Softmax", "MatMul"],
        "where": "main graph",
        "reason": None,
    }
    assert "fusions" not in json.loads(printed(["a.onnx", "--json"], capsys))


def test_in_functions_and_subgraphs(folder, capsys):
    text = """
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[N,A] x, bool c) => (float[N,A] y) {
            a = own.logged (x)
            y = If (c) <
                then_branch = b () => (float[N,A] z) { p = Softmax <axis = -1> (a) z = Log (p) },
                else_branch = d () => (float[N,A] z) { z = Identity (a) }
            >
        }
        <domain: "own", opset_import: ["" : 17]>
        logged (a) => (b) { p = Softmax <axis = -1> (a) b = Log (p) }
    """
    onnx.save(parser.parse_model(text), "a.onnx")
    out = printed(["a.onnx", "--fusions"], capsys)
    assert "log of softmax  Softmax p, Log b (in function own.logged)\n" in out
    assert "log of softmax  Softmax p, Log z (in y.then_branch)\n" in out
