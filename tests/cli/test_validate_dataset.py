"""`softops validate --dataset`: labels, calibration and confusion over a whole set."""

import json

import numpy as np
import pytest

from softops.cli.main import run
from softops.export import classifier_head


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """head.onnx (3 features, 4 classes), and data.npz of 700 rows with labels."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    weight = random.normal(size=(4, 3)).astype(np.float32)
    classifier_head(weight, path="head.onnx")
    x = random.normal(size=(700, 3)).astype(np.float32)
    y = (x @ weight.T + random.gumbel(size=(700, 4))).argmax(1)
    np.savez("data.npz", features=x, labels=y)
    np.savez("none.npz", features=x[:0], labels=y[:0])
    np.save("truth.npy", y)
    return tmp_path


def test_a_right_runtime_is_as_good_as_ours(capsys):
    assert run(["validate", "head.onnx", "--dataset", "data.npz", "--batch", "64"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "onnxruntime against softops: 100 % of 700 labels agree." in out
    rows = [line.split() for line in out.splitlines() if line.startswith((" softops ", " onnxruntime "))]
    assert len(rows) == 2
    assert rows[0][1:5] == rows[1][1:5]
    assert out.splitlines()[-1] == "head.onnx on the 700 rows of data.npz: right."


def test_labels_of_a_file_are_those_of_the_set(capsys):
    for labels in ("labels", "truth.npy"):
        assert run(["validate", "head.onnx", "--dataset", "data.npz", "--labels", labels]) == 0
    first, second = capsys.readouterr().out.split("data.npz: right.\n")[:2]
    accuracies = [
        line.split()[1] for text in (first, second) for line in text.splitlines() if " softops " in line[:9]
    ]
    assert accuracies[0] == accuracies[1] != "-"


def test_the_report_has_every_form(folder, capsys):
    assert run(["validate", "head.onnx", "--dataset", "data.npz", "--report", "found"]) == 0
    record = json.loads((folder / "found/report.json").read_text("utf-8"))
    assert record["rows"] == 700
    assert 0 < record["scores"]["onnxruntime"]["brier"] < 1
    assert "100 % of the labels agree" in (folder / "found/report.md").read_text("utf-8")
    assert (folder / "found/report.html").read_text("utf-8").startswith("<!doctype html>")


def test_json_is_for_machines(capsys):
    assert run(["validate", "head.onnx", "--dataset", "data.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 700


def test_a_cluster_is_for_sets_alone(capsys):
    assert run(["validate", "head.onnx", "--dask", "local"]) == 2
    assert "add --dataset" in capsys.readouterr().err


def test_no_rows_are_nothing_compared(capsys):
    assert run(["validate", "head.onnx", "--dataset", "none.npz"]) == 3
    assert capsys.readouterr().out.endswith("nothing compared.\n")
