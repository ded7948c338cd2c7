"""The recipes of docs/conformance.md for outputs of other frameworks, run as written."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from softops import conformance
from softops.export import from_sklearn

PAGE = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"
TORCH, SKLEARN = re.findall(r"```python recipe\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def said(recipe, names, capsys):
    assert len(recipe.splitlines()) == 2
    exec(compile(recipe, str(PAGE), "exec"), {"conformance": conformance, **names})
    return capsys.readouterr().out.splitlines()[0]


def test_outputs_of_torch(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 5))
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,16] x) => (float[N,5] y) {
            a = Gemm <transB = 1> (x, w1, b1)
            t = Tanh(a)
            y = Gemm <transB = 1> (t, w2, b2)
        }
    """)
    for name, array in zip(("w1", "b1", "w2", "b2"), network.parameters(), strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.detach().numpy(), name))
    onnx.save(model, "network.onnx")
    x = np.random.default_rng(0).normal(size=(30, 16)).astype(np.float32)
    names = {"torch": torch, "network": network, "x": x}
    assert said(TORCH, names, capsys) == "Outputs made elsewhere: explained by rounding"
    with torch.no_grad():
        network[0].weight[0, 0] += 0.01
    assert said(TORCH, names, capsys) == "Outputs made elsewhere: not explained"


def test_outputs_of_scikit_learn(tmp_path, monkeypatch, capsys):
    linear = pytest.importorskip("sklearn.linear_model")
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(2)
    x = random.normal(size=(200, 6)).astype(np.float32)
    y = (x @ random.normal(size=(6, 4)) + random.gumbel(size=(200, 4))).argmax(1)
    fitted = linear.LogisticRegression().fit(x, y)
    from_sklearn(fitted, dtype="float32", path="fitted.onnx")
    names = {"fitted": fitted, "x": x}
    assert said(SKLEARN, names, capsys) == "Outputs made elsewhere: explained by rounding"
    fitted.coef_[1, 2] += 0.01
    assert said(SKLEARN, names, capsys) == "Outputs made elsewhere: not explained"
