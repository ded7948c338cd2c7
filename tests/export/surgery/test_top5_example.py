"""The example that adds labels to an image model, run as written."""

import runpy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from scipy.special import softmax

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "add_top5_labels.py"


def test_the_five_best_labels_are_those_of_the_five_largest_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(EXAMPLE))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image_model.onnx", "labelled.onnx"]
    onnx.checker.check_model("labelled.onnx", full_check=True)

    (scores,) = onnxruntime.InferenceSession("image_model.onnx").run(None, {"images": names["images"]})
    best = np.argsort(-scores, axis=1)[:, :5]
    assert names["labels"].tolist() == [[names["LABELS"][i] for i in row] for row in best]
    shares = np.take_along_axis(softmax(scores.astype(np.float64) / 10, axis=1), best, 1)
    np.testing.assert_allclose(names["probabilities"], shares, rtol=1e-5)
    assert capsys.readouterr().out.count("%") == 10
