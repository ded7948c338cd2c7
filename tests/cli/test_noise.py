"""`softops noise`: how far rounding alone moves outputs, and a tolerance that holds."""

import json
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import refusals

from softops.cli.main import run

MODEL = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N,300] x) => (float[N,4] p, int64[N] label, float[N] gap) {
        scores = MatMul(x, w)
        p = Softmax(scores)
        label = ArgMax <axis = 1, keepdims = 0> (p)
        total = ReduceSum <keepdims = 0> (p, last)
        near = Mul(total, above)
        gap = Sub(near, total)
    }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with net.onnx, in which nearly equal numbers are subtracted, and x.npz."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    model = onnx.parser.parse_model(MODEL)
    constants = {
        "w": random.normal(size=(300, 4)).astype(np.float32) / 10,
        "last": np.array([1], np.int64),
        "above": np.array(1.0001, np.float32),
    }
    for name, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, "net.onnx")
    np.savez("x.npz", x=random.normal(size=(5, 300)).astype(np.float32))
    return tmp_path


def shown(arguments, capsys):
    assert run(["noise", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(arguments, capsys):
    return refusals.refused(["noise", *arguments], capsys)


def lines_for_a_test(text):
    return re.findall(r"^    (np\.testing\..*)$", text, re.MULTILINE)


def test_the_lines_hold_a_right_runtime_and_fail_a_wrong_one(folder, capsys):
    """onnxruntime beside a run in float64 by NumPy passes; a thousandth more of one element fails."""
    lines = lines_for_a_test(shown(["net.onnx", "--inputs", "x.npz"], capsys))
    model = onnx.load("net.onnx")
    w = onnx.numpy_helper.to_array(model.graph.initializer[0]).astype(float)
    x = np.load("x.npz")["x"]
    exps = np.exp(x.astype(float) @ w)
    p = exps / exps.sum(1, keepdims=True)
    above = float(onnx.numpy_helper.to_array(model.graph.initializer[2]))
    expected = {"p": p, "label": p.argmax(1), "gap": np.full(5, above - 1)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    actual = dict(zip(expected, session.run(list(expected), {"x": x}), strict=True))
    assert len(lines) == 3
    for line in lines:
        exec(line, {"np": np, "actual": actual, "expected": expected})
    off = {name: array.copy() for name, array in actual.items()}
    off["p"][2, 1] += np.float32(1e-3)
    off["label"][0] = (off["label"][0] + 1) % 4
    off["gap"][3] += np.float32(1e-3)
    for line in lines:
        with pytest.raises(AssertionError):
            exec(line, {"np": np, "actual": off, "expected": expected})


def test_digits_are_lost_where_nearly_equal_numbers_are_subtracted(folder, capsys):
    out = shown(["net.onnx", "--inputs", "x.npz"], capsys)
    assert re.search(r"^Most digits are lost at gap \(.*Sub.*\): ", out, re.MULTILINE)


def test_the_table_shows_median_figures_and_json_the_worst_as_well(folder, capsys):
    """Of equal elements and one a million times smaller: its relative noise is enormous, and it is one of many."""
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,9] x) => (float[N,9] y) { far = Add(x, one) y = Sub(far, one) }
    """
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.float32), "one"))
    onnx.save(model, "few.onnx")
    x = np.ones((4, 9), np.float32)
    x[2, 3] = 1e-6
    np.savez("few.npz", x=x)
    found = json.loads(shown(["few.onnx", "--inputs", "few.npz", "--json"], capsys))["outputs"]["y"]
    assert found["relative"] > 1e5 * found["typical_relative"] > 0
    assert found["ulp"] > 1e5 * found["typical_ulp"] > 0
    out = shown(["few.onnx", "--inputs", "few.npz", "--report", "few.md"], capsys)
    header, row = (line for line in out.splitlines() if line.startswith((" output", " y ")))
    figures = dict(zip(re.split(" {2,}", header.strip()), row.split(), strict=True))
    assert float(figures["largest"]) == pytest.approx(found["largest"], rel=0.1)
    assert float(figures["median rel."]) == pytest.approx(found["typical_relative"], rel=0.1)
    assert float(figures["median ULP"]) == pytest.approx(found["typical_ulp"], rel=0.1)
    assert max(map(len, out.split("y: rounding")[0].splitlines())) <= 80
    names, _, cells = (line.split(" | ") for line in (folder / "few.md").read_text("utf-8").splitlines()[2:5])
    written = dict(zip(names, cells, strict=True))
    assert float(written["worst relative"]) == pytest.approx(found["relative"], rel=0.1)


def test_the_page_draws_the_digits_that_are_left(folder, capsys):
    shown(["net.onnx", "--inputs", "x.npz", "--report", "found"], capsys)
    page = (folder / "found/report.html").read_text("utf-8")
    record = json.loads((folder / "found/report.json").read_text("utf-8"))
    noisy = [node for node in record["nodes"] if node["digits"] != "inf"]
    points = [
        tuple(map(float, point.split(","))) for point in re.search(r'points="([^"]*)"', page)[1].split()
    ]
    assert len(points) == len(noisy) > 3
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    heights = [-y for _, y in points]  # down the page from the top
    assert np.corrcoef(heights, [node["digits"] for node in noisy])[0, 1] > 0.999
    marks = re.findall(r"<circle[^>]*><title>(\w+): ([\d.]+) lost", page)
    assert ("gap", f"{record['lost_at']['lost']:.1f}") in marks


def test_a_page_of_a_model_without_noise_has_no_picture(folder, capsys):
    text = '<ir_version: 8, opset_import: ["" : 17]> net (float[2] x) => (float[2] y) { y = Neg(x) }'
    onnx.save(onnx.parser.parse_model(text), "neg.onnx")
    shown(["neg.onnx", "--report", "neg.html"], capsys)
    assert "<svg" not in (folder / "neg.html").read_text("utf-8")


def test_labels_within_the_noise_are_counted(folder, capsys):
    """Two classes of the same weights: all of their labels hang on rounding."""
    model = onnx.load("net.onnx")
    w = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    w[:, 0] = np.load("x.npz")["x"].sum(0) / 10  # the largest score, and the same one again
    w[:, 3] = w[:, 0]
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(w, "w"))
    onnx.save(model, "tied.onnx")
    out = shown(["tied.onnx", "--inputs", "x.npz"], capsys)
    assert "p: rounding may change the largest of 5 of 5 rows" in out
    assert "label: rounding may change 5 of 5 values" in out
    assert not [line for line in lines_for_a_test(out) if "'label'" in line]


def test_halves_have_more_noise_and_lines_that_run(folder, capsys):
    record = {
        dtype: json.loads(shown(["net.onnx", "--inputs", "x.npz", "--json", "--dtype", dtype], capsys))
        for dtype in ("bfloat16", "float16", "float32")
    }
    sizes = [of["outputs"]["p"]["largest"] for of in record.values()]
    assert sizes[0] > 4 * sizes[1] > 1000 * sizes[2] > 0  # 8 bits, 11 and 24


def test_inputs_are_generated_from_a_seed(folder, capsys):
    first, again, other = (
        json.loads(shown(["net.onnx", "--json", "--batch", "3", "--seed", seed], capsys))["outputs"]
        for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert first["p"]["shape"] == [3, 4]
    assert "float32[2,4]" in shown(["net.onnx", "--shape", "x=2,300", "--samples", "4"], capsys)


def test_the_report_has_every_form(folder, capsys):
    out = shown(["net.onnx", "--inputs", "x.npz", "--report", "found"], capsys)
    lines = lines_for_a_test(out)
    assert set(json.loads((folder / "found/report.json").read_text("utf-8"))["outputs"]) == {
        "p",
        "label",
        "gap",
    }
    assert lines_for_a_test((folder / "found/report.md").read_text("utf-8")) == lines
    page = (folder / "found/report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "assert_allclose" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.onnx"], "missing.onnx"),
        (["x.npz"], "expected an ONNX model"),
        (["net.onnx", "--inputs", "net.onnx"], "expected a .npz file"),
        (["net.onnx", "--inputs", "y.npz"], "x"),
        (["net.onnx", "--inputs", "x.npz", "--batch", "2"], "leave one out"),
        (["net.onnx", "--inputs", "x.npz", "--shape", "x=2,300"], "leave one out"),
        (["net.onnx", "--shape", "x=2,3"], "shape"),
        (["net.onnx", "--samples", "1"], "--samples"),
        (["net.onnx", "--dtype", "int8"], "int8"),
        (["net.onnx", "--report", "missing/page.html"], "missing"),
    ],
)
def test_what_cannot_be_run_exits_with_2_and_one_line(folder, capsys, arguments, said):
    np.savez("y.npz", y=np.zeros(3))
    before = sorted(folder.iterdir())
    assert said in refused(arguments, capsys)
    assert sorted(folder.iterdir()) == before
