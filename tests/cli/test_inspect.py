"""`softops inspect`: the table, the warnings, JSON, and exit codes."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from softops.cli.main import run
from softops.export import classifier_head


def model(*nodes, opset=17, shape=("n", 3, 4), dtype=TensorProto.FLOAT):
    x = helper.make_tensor_value_info("x", dtype, shape)
    graph = helper.make_graph(list(nodes), "g", [x], [onnx.ValueInfoProto(name=nodes[-1].output[0])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder on a terminal of 100 columns, with a good model and one with the flatten trap."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    classifier_head(np.ones((3, 4), np.float32), path="good.onnx")
    onnx.save(model(helper.make_node("Softmax", ["x"], ["y"], name="head"), opset=11), "trap.onnx")
    return tmp_path


def shown(arguments, capsys, code=0):
    assert run(["inspect", *arguments]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_model_without_anything_to_warn_of(folder, capsys):
    out = shown(["good.onnx", "--strict"], capsys)
    assert out.startswith("good.onnx  IR 8, opset ai.onnx 17\n")
    assert "Softmax-13" in out
    assert out.endswith("0 warnings.\n")


def test_the_flatten_trap_with_its_cure(folder, capsys):
    out = shown(["trap.onnx"], capsys)
    row = next(line for line in out.splitlines() if line.startswith("head"))
    assert row.split() == ["head", "Softmax-11", "-", "flatten", "1-2", "(12)", "float32[n,3,4]"]
    assert (
        "warning flatten-rule\n  head: Softmax-11 with the default axis normalises over dimensions 1 and 2"
        in out
    )
    assert "Cure: if one axis is meant, export with opset 13" in out
    assert out.endswith("1 node of the family, 1 warning.\n")


def test_strict_fails_where_there_are_warnings(folder, capsys):
    shown(["trap.onnx", "--strict"], capsys, code=1)
    shown(["trap.onnx", "--strict", "--json"], capsys, code=1)
    shown(["good.onnx", "--strict", "--json"], capsys)


def test_json_is_for_machines(folder, capsys):
    report = json.loads(shown(["trap.onnx", "--json"], capsys))
    assert report["schema_version"] == 1
    assert (report["model"], report["ir_version"], report["opsets"]) == ("trap.onnx", 8, {"ai.onnx": 11})
    (node,) = report["nodes"]
    assert node == {
        "name": "head",
        "op_type": "Softmax",
        "domain": "ai.onnx",
        "since_version": 11,
        "opset": 11,
        "where": "main graph",
        "axis": None,
        "axis_rule": "flatten",
        "works_along": [1, 2],
        "elements": 12,
        "dtype": "float32",
        "shape": ["n", 3, 4],
        "detail": "",
    }
    (warning,) = report["warnings"]
    assert warning.keys() == {"code", "severity", "node", "where", "message", "cure"}
    assert report["notes"] == []


def test_for_a_release(folder, capsys):
    out = shown(["good.onnx", "--for-runtime", "onnxruntime==1.12", "--strict"], capsys)
    assert "too-new" not in out
    out = shown(["good.onnx", "--for-runtime", "onnxruntime==1.10", "--strict"], capsys, code=1)
    assert "error too-new\n  onnxruntime==1.10 cannot read the model: ai.onnx 17 (it reads up to 15)." in out
    assert "softops convert --opset 15" in out
    assert "1 error" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.onnx"], "no file at nowhere.onnx"),
        (["."], "got the folder"),
        (["rubbish.onnx"], "rubbish.onnx is not one"),
        (["good.onnx", "--for-runtime", "not-installed-anywhere"], "onnxruntime==1.17"),
        (["good.onnx", "--for-runtime", "openvino==2025.0"], "got 'openvino'"),
        (["good.onnx", "--for-runtime", "onnxruntime==0.9"], "a release of onnxruntime that is known"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_used_takes_one_line(folder, capsys, arguments, said):
    (folder / "rubbish.onnx").write_bytes(b"this is no model")
    assert run(["inspect", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_no_node_of_the_family(folder, capsys):
    onnx.save(model(helper.make_node("Relu", ["x"], ["y"])), "relu.onnx")
    assert "No node of the softmax family.\n" in shown(["relu.onnx"], capsys)


NAME = "/".join(f"encoder.layer.{i}" for i in range(8))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_names_are_never_cut_or_folded(folder, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    onnx.save(model(helper.make_node("ReduceLogSumExp", ["x"], ["y"], name=NAME, axes=[1])), "long.onnx")
    head, *rest = shown(["long.onnx"], capsys).split("\n\n")[1].splitlines()
    if columns > len(NAME) + 60:  # a table, where there is room for one
        assert head.split() == ["node", "operator", "axis", "rule", "works", "along", "input"]
        assert rest[-1].split() == [NAME, "ReduceLogSumExp-13", "1", "single", "1", "(3)", "float32[n,3,4]"]
    else:
        assert head == NAME
        assert " ".join(" ".join(rest).split()) == (
            "ReduceLogSumExp-13, axis 1, single, works along 1 (3), on float32[n,3,4]"
        )
        assert all(len(line) <= columns for line in rest)


def test_a_table_is_shown_whole_or_not_at_all(folder, capsys, monkeypatch):
    onnx.save(model(helper.make_node("ReduceLogSumExp", ["x"], ["y"], name=NAME[:30], axes=[1])), "long.onnx")
    tables = set()
    for columns in range(60, 121):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = shown(["long.onnx"], capsys)
        for text in (NAME[:30], "ReduceLogSumExp-13", "single", "float32[n,3,4]"):
            assert text in out
        assert "…" not in out
        tables.add(out.split("\n\n")[1].startswith("node"))
    assert tables == {False, True}


def test_subgraphs_and_functions_are_named(folder, capsys, monkeypatch):
    body = [helper.make_node("Softmax", ["a"], ["b"])]
    proto = model(helper.make_node("F", ["x"], ["y"], domain="own"))
    proto.functions.append(
        helper.make_function("own", "F", ["a"], ["b"], body, [helper.make_opsetid("", 13)])
    )
    proto.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(proto, "function.onnx")
    assert "float32[n,3,4]   function own.F\n" in shown(["function.onnx"], capsys)
    monkeypatch.setenv("COLUMNS", "40")
    assert "b  (in function own.F)\n  Softmax-13, " in shown(["function.onnx"], capsys)


def test_markup_in_names_is_text(folder, capsys):
    onnx.save(model(helper.make_node("Softmax", ["x"], ["y"], name="[red]x[/red]"), opset=9), "[bold]m.onnx")
    out = shown(["[bold]m.onnx"], capsys)
    assert out.startswith("[bold]m.onnx  IR")
    assert "\n  [red]x[/red]: Softmax-1 " in out


def test_hundreds_of_nodes_fit_on_a_screen(folder, capsys):
    nodes = [
        helper.make_node("Softmax", ["x"], [f"y{i}"], name=f"layer.{i}", axis=1 + i % 2) for i in range(300)
    ]
    onnx.save(model(*nodes, opset=11), "many.onnx")
    out = shown(["many.onnx"], capsys)
    assert "layer.0 and 149 more" in out
    assert "… and 145 more like these" in out
    assert "300 nodes of the family, 150 warnings.\n" in out
    assert out.count("\n") < 30
    assert len(json.loads(shown(["many.onnx", "--json"], capsys))["nodes"]) == 300
