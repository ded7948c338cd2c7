"""examples/sklearn_to_onnx.py runs, and what it prints is so."""

import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")

EXAMPLE = Path(__file__).parents[3] / "examples" / "sklearn_to_onnx.py"


def test_it_runs_and_the_model_equals_the_classifier(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLE, "wine.onnx"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr == ""
    accuracy, difference = map(float, re.findall(r"(?:accuracy|at most) ([\d.e-]+)", done.stdout))
    assert accuracy > 0.95
    assert difference < 1e-6
    assert [path.name for path in tmp_path.iterdir()] == ["wine.onnx"]
    assert onnx.load(tmp_path / "wine.onnx").ir_version == 9
