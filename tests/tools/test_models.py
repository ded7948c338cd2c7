"""The page on models of others: a row for each, what went wrong with it told."""

import numpy as np
import onnx
import pytest
from typer import Typer
from typer.testing import CliRunner

from softops.export import classifier_head
from tools import models


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "heads/inner").mkdir(parents=True)
    classifier_head(np.eye(4, dtype=np.float32), path=folder / "heads/inner/small.onnx")
    classifier_head(np.eye(4, dtype=np.float32), path=folder / "given.onnx")
    np.savez(folder / "given.npz", features=np.ones((3, 4), np.float32))
    broken = onnx.load(folder / "given.onnx")
    broken.graph.node[0].op_type = "Zork"
    onnx.save(broken, folder / "broken.onnx")
    app = Typer()
    app.command()(models.run)
    docs = folder / "models.md"
    done = CliRunner().invoke(app, [str(folder), "--no-others", "--docs", str(docs)])
    assert done.exit_code == 0, done.output
    return docs.read_text("utf-8")


def row(page, name):
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_model_that_is_right(page):
    _, holds, verdict, seconds, gigabytes = row(page, "heads/small")
    assert holds.startswith("opset ")
    assert "1 Gemm" in holds
    assert "1 Softmax" in holds
    assert verdict == "right"
    assert 0 < float(seconds) < 60
    assert 0 < float(gigabytes) < 2


def test_inputs_beside_a_model_are_used(page):
    # All ones: the label is the first, for other orders of ones as well.
    assert row(page, "given")[2] == "right"


def test_a_model_that_does_not_run_is_said_to_be_one(page):
    assert row(page, "broken")[2] == "not run"
    below = page.partition("## What is not right")[2]
    assert "- **broken**: not run\n" in below
    assert "Zork" in below
    assert "small" not in below


def test_the_head_of_the_page_counts(page):
    assert "3 models: 1 not run, 2 right" in page


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.1, 2), "stopped after 0.1 s"), ((60, 0.001), "stopped beyond 0.001 GB")]
)
def test_a_model_that_takes_too_much_is_stopped(tmp_path, limits, verdict):
    classifier_head(np.eye(4, dtype=np.float32), path=tmp_path / "small.onnx")
    found = models._examined(tmp_path / "small.onnx", "onnxruntime", *limits)
    assert found["verdict"] == verdict
