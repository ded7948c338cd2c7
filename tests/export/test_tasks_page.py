"""The examples of docs/export_tasks.md, run as written, one after another."""

import re
from pathlib import Path

import onnx

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export_tasks.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_examples_run_and_inputs_are_those_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, inputs = {}, []
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), names)
        inputs.append([value.name for value in names["model"].graph.input])
    assert inputs[0] == ["hidden_states", "temperature"]
    assert inputs[3] == ["logits", "temperature", "legal_actions", "gumbel_noise"]
    assert inputs[-1] == ["features"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lm.onnx", "lm.onnx.data"]
    onnx.checker.check_model(names["training"], full_check=True)
    assert [value.name for value in names["slopes"].graph.output] == ["dx"]
    assert [value.name for value in names["step"].graph.input] == ["x", "weight", "bias", "labels"]
