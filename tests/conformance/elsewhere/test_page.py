"""docs/other_runtimes.md says what holds."""

import json
import re
import shlex
import sys
from pathlib import Path

from softops.cli.main import run
from softops.conformance.elsewhere.batch import STARTING_SECONDS
from softops.conformance.elsewhere.command import NOT_SUPPORTED
from softops.conformance.elsewhere.programs import SECONDS_MAX

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "other_runtimes.md").read_text("utf-8")
LOOP = re.search(r"```python recipe\n(.*?)```", PAGE, re.DOTALL)[1]

RUN = """
import json, sys
import numpy as np, onnxruntime

def run(model, inputs, outputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with np.load(inputs) as feeds:
        values = session.run(None, dict(feeds))
    np.savez(outputs, **dict(zip([y.name for y in session.get_outputs()], values)))

"""


def test_the_loop_answers(tmp_path, capsys):
    (tmp_path / "tool.py").write_text(RUN + LOOP)
    command = f"cmd: {shlex.join([sys.executable, str(tmp_path / 'tool.py'), '{folder}'])}"
    chosen = ["--ops", "Softmax", "--opsets", "13", "--dtypes", "float32", "--families", "ties", "--quick"]
    assert run(["conformance", "--runtime", command, *chosen]) == 0
    assert " passes: " in capsys.readouterr().out.splitlines()[-1]


def test_the_examples_take_forty_lines():
    for name in ("batch_runtime.py", "onnxruntime_web/batch.mjs"):
        assert len((ROOT / "examples" / name).read_text().splitlines()) <= 40
        assert f"../examples/{name}" in PAGE


def test_the_index_is_as_shown(tmp_path):
    chosen = ["--ops", "Softmax", "--opsets", "13", "--dtypes", "float32", "--quick"]
    assert run(["conformance", "dump", str(tmp_path / "cases"), *chosen]) == 0
    entry = json.loads((tmp_path / "cases" / "index.json").read_text())["cases"][0]
    shown = re.search(r'\{"op": "Softmax".*?\}', PAGE, re.DOTALL)[0]
    assert set(re.findall(r'"(\w+)":', shown)) <= entry.keys()
    model, inputs, outputs = (
        re.search(rf'"{name}": "([^"]*)"', shown)[1] for name in ("model", "inputs", "outputs")
    )
    written = [entry[name] for name in ("model", "inputs", "outputs")]
    assert [re.sub(r"\d+", "0", name) for name in written] == [
        re.sub(r"\d+", "0", name) for name in (model, inputs, outputs)
    ]


def test_its_numbers_are_those_of_the_code():
    words = " ".join(PAGE.split())
    assert f"longer than {SECONDS_MAX:g} seconds" in words
    assert f"it has {STARTING_SECONDS:g} seconds more" in words
    assert f"{NOT_SUPPORTED} that it does not support the model" in words


def test_it_is_linked():
    for name in ("docs/how_to/plug_in_a_runtime.md", "docs/conformance.md"):
        assert "other_runtimes.md" in (ROOT / name).read_text("utf-8")
    for place in re.findall(r"\]\((\.\./[^)#]*)", PAGE):
        assert (ROOT / "docs" / place).exists()
