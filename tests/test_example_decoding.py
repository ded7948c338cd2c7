"""The example of decoding, run as written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "decoding.py"


@pytest.mark.slow
def test_the_backend_and_onnxruntime_write_the_same(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'softops[torch]'")
    command = [sys.executable, str(EXAMPLE)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    onnx.checker.check_model(str(tmp_path / "decoding.onnx"), full_check=True)
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if ":" in line] == ["softops", "onnxruntime"]
    ours, theirs = lines[1:4], lines[5:]
    assert ours == theirs
    written = np.array([line.split() for line in ours], int)
    assert written.shape == (3, 28)
    assert written[:, :4].tolist() == [[1, 2, 3, 4], [10, 20, 30, 40], [7, 7, 7, 7]]
    assert len(set(written[:, 4:].ravel().tolist())) > 20
