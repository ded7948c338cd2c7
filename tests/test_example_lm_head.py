"""The example of a language model's head, run as written."""

import runpy
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "lm_head.py"


def test_the_five_likeliest_tokens_are_those_of_the_formula(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(EXAMPLE))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lm_head.onnx", "lm_head.onnx.data"]
    weight = names["embedding"].astype(np.float64)
    assert (tmp_path / "lm_head.onnx.data").read_bytes() == names["embedding"].tobytes()

    known = len(names["TOKENS"])
    assert "".join(names["TOKENS"]).isprintable()
    assert known == 34
    logits = 30 * np.tanh(names["hidden_states"][:, -1].astype(np.float64) @ weight[:known].T / 30)
    logs = log_softmax(logits / 4, axis=1)
    best = np.argsort(-logs, axis=1)[:, :5]
    assert names["tokens"].tolist() == [[names["TOKENS"][i] for i in row] for row in best]
    np.testing.assert_allclose(names["values"], np.take_along_axis(logs, best, 1), rtol=1e-4, atol=1e-5)
    assert capsys.readouterr().out.count("%") == 10
