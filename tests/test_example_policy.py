"""The example of a policy, run as written."""

import runpy
from pathlib import Path

import numpy as np
import onnx

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "policy.py"


def test_moves_are_legal_and_those_of_the_formula(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(EXAMPLE))
    assert [path.name for path in tmp_path.iterdir()] == ["policy.onnx"]
    onnx.checker.check_model("policy.onnx", full_check=True)

    boards = names["boards"]
    logits = boards @ names["weight"].T + names["bias"]
    e = np.where(boards == 0, np.exp(logits), 0)
    np.testing.assert_allclose(names["probabilities"], e / e.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(names["greedy"], e.argmax(1))
    assert (boards[[0, 1], names["sampled"]] == 0).all()
    assert capsys.readouterr().out.count("drawn") == 2
