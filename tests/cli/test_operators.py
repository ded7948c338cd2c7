"""`softops operators`: the table on the terminal and as JSON."""

import json

import pytest

from softops.cli.main import run
from softops.opset import operators


def printed(arguments, capsys):
    assert run(["operators", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_every_row_is_printed(capsys):
    lines = printed([], capsys).splitlines()
    for op_type in {row.op_type for row in operators()}:
        assert any(line.split()[:1] == [op_type] for line in lines), op_type
    for domain in ("ai.onnx", "ai.onnx.ml", "com.microsoft"):
        assert domain in (line.strip() for line in lines)
    assert max(map(len, lines[:-2])) <= 80


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_dtype_is_cut_off(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    short = {"float": "f", "bfloat": "bf", "int": "i", "uint": "u"}
    out = printed(["TopK"], capsys)
    newest = out.split("\n\n")[0].split(" 24  single")[1]
    kernels = json.loads(printed(["TopK", "--json"], capsys))[-1]["kernels"]["onnxruntime"]
    names = [short[name.rstrip("0123456789")] + name.lstrip("abcdefghijklmnopqrstuvwxyz") for name in kernels]
    assert len(names) > 4
    assert set(names) <= set(newest.split())


def test_one_operator_with_its_versions_and_notes(capsys):
    out = printed(["hardmax"], capsys)
    rows = [line for line in out.splitlines() if " flatten, 1 " in line or " single, -1 " in line]
    assert [row.removeprefix("Hardmax").split()[0] for row in rows] == ["1", "11", "13"]
    assert rows[2].split()[-1] == "f32"  # all that onnxruntime's CPU has of it
    assert "bf16 f16 f32 f64" in rows[2]
    assert "Changelog.md#Hardmax-13" in out
    assert "axis: int, default -1" in out
    assert "A NaN counts as the largest" in out
    assert "Softmax" not in out


def test_notes_name_their_versions(capsys):
    out = printed(["ArgMax", "TopK"], capsys)
    assert "Version 1, 11: Of equal elements the first" in out
    assert "\n  k: " not in out  # of the newest version only


def test_json_has_everything(capsys):
    records = json.loads(printed(["--json"], capsys))
    assert [(r["domain"], r["op_type"], r["since_version"]) for r in records] == [
        (row.domain, row.op_type, row.since_version) for row in operators()
    ]
    (top_k,) = (r for r in records if r["op_type"] == "TopK" and r["since_version"] == 1)
    assert top_k["attributes"]["k"] == {"type": "int", "default": None, "required": True}
    assert top_k["types"]["T"] == ["float16", "float32", "float64"]
    assert top_k["kernels"]["onnxruntime"] == ["float32", "float64"]
    assert top_k["default_axis"] == -1


def test_without_a_list_of_kernels(capsys, monkeypatch):
    from softops.opset.runtimes import kernels as runtime_kernels

    monkeypatch.setattr(runtime_kernels, "_cpu_kernels", lambda: None)
    assert "?" in printed(["Softmax"], capsys)
    assert json.loads(printed(["Softmax", "--json"], capsys))[0]["kernels"] == {"onnxruntime": None}


@pytest.mark.parametrize(
    ("name", "hint"), [("Softmx", "did you mean Softmax?"), ("zzz", "choose one of these")]
)
def test_an_unknown_name(capsys, name, hint):
    assert run(["operators", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: expected one of Softmax, ")
    assert err.endswith(f"(got '{name}'); {hint}\n")
