"""The page on models of others: a row for each and step, what is not right told."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer import Typer
from typer.testing import CliRunner

from softops.export import classifier_head
from tools.models import __main__ as command
from tools.models.processes import Limits, taken_apart
from tools.models.sameness import sameness


def made(folder, *arguments):
    app = Typer()
    app.command()(command.run)
    docs = folder / "models.md"
    done = CliRunner().invoke(app, [str(folder), "--no-others", "--docs", str(docs), *arguments])
    assert done.exit_code == 0, done.output
    return docs.read_text("utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "heads/inner").mkdir(parents=True)
    classifier_head(np.eye(4, dtype=np.float32), opset=13, path=folder / "heads/inner/small.onnx")
    classifier_head(np.eye(4, dtype=np.float32), path=folder / "given.onnx")
    np.savez(folder / "given.npz", features=np.ones((3, 4), np.float32))
    broken = onnx.load(folder / "given.onnx")
    broken.graph.node[0].op_type = "Zork"
    onnx.save(broken, folder / "broken.onnx")
    return made(folder, "--steps", "inspect,onnxruntime,down,up")


def section(page, title):
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def row(page, title, name):
    (line,) = [line for line in section(page, title).splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_what_a_model_holds(page):
    (holds,) = row(page, "What they hold", "heads/small")
    assert holds.startswith("opset 13")
    assert "1 Gemm" in holds
    assert "1 Softmax" in holds


def test_a_model_that_is_right(page):
    verdict, seconds, gibibytes = row(page, "Validated", "heads/small")
    assert verdict == "right"
    assert 0 < float(seconds) < 60
    assert 0 < float(gibibytes) < 2


def test_a_model_is_converted_both_ways(page):
    down, _, _, up, _, _ = row(page, "Converted", "heads/small")
    assert down.endswith(", same bits")
    assert down.startswith("13 → 7")
    assert up == f"13 → {onnx.defs.onnx_opset_version()}, same bits"


def test_inspect_counts_the_family(page):
    # A head has a Softmax, and an ArgMax for its label.
    assert row(page, "Inspected", "heads/small")[0].startswith("2 of the family")


def test_inputs_beside_a_model_are_used(page):
    # All ones: the label is the first, for other orders of ones as well.
    assert row(page, "Validated", "given")[0] == "right"


def test_a_model_that_does_not_run_is_said_to_be_one(page):
    assert row(page, "Validated", "broken")[0] == "not run"
    below = section(page, "What more is to be said")
    assert "- **broken**, onnxruntime: not run\n" in below
    assert "Zork" in below
    assert "**heads/small**, onnxruntime" not in below


def test_the_head_of_the_page_counts(page):
    assert "3 models" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| onnxruntime | ")]
    assert line.split("|")[2].strip() == "1 not run, 2 right"


def test_what_was_done_is_kept(tmp_path):
    classifier_head(np.eye(4, dtype=np.float32), path=tmp_path / "small.onnx")
    first = made(tmp_path, "--steps", "inspect", "--kept", str(tmp_path / "kept.json"))
    assert made(tmp_path, "--steps", "inspect", "--kept", str(tmp_path / "kept.json")) == first


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [(Limits(0.1, 2), "stopped after 0.1 s"), (Limits(60, 0.001), "stopped beyond 0.001 GiB")],
)
def test_a_step_that_takes_too_much_is_stopped(tmp_path, limits, verdict):
    classifier_head(np.eye(4, dtype=np.float32), path=tmp_path / "small.onnx")
    assert taken_apart("onnxruntime", tmp_path / "small.onnx", limits).verdict == verdict


def scaled(path, factor):
    """A model that gives three times its input, by this factor."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        "scaled",
        [value("x", TensorProto.FLOAT, ["rows", 5])],
        [value("y", TensorProto.FLOAT, ["rows", 5])],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [factor])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("factor", "verdict"), [(3.0, "same bits"), (3.00001, "same but for rounding"), (3.1, "other values")]
)
def test_whether_two_models_give_the_same(tmp_path, factor, verdict):
    before, after = scaled(tmp_path / "before.onnx", 3.0), scaled(tmp_path / "after.onnx", factor)
    assert sameness(before, after)[0] == verdict
