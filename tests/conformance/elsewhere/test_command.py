"""Programs as runtimes: started for each case."""

import sys

import numpy as np
import pytest

from softops.conformance.cases.build import built, material
from softops.conformance.cases.case import Case
from softops.conformance.errors import (
    ModelNotRunError,
    ModelNotSupportedError,
    RuntimeHungError,
    RuntimeUnusableError,
)
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")
TOOL = """
import sys
import numpy as np
from softops.opset.backend import prepare
prepared = prepare(sys.argv[1])
with np.load(sys.argv[2]) as feeds:
    outputs = prepared.run(dict(feeds))
np.savez(sys.argv[3], **dict(zip(prepared.output_names, outputs)))
"""


@pytest.fixture
def command(tmp_path):
    """command(source) -> the runtime of a Python program."""

    def make(source):
        path = tmp_path / "tool.py"
        path.write_text(source)
        return get_runtime(f"cmd: {sys.executable} {path} {{model}} {{inputs}} {{outputs}}")

    return make


def test_a_command_line(command):
    model, feeds = built(CASE)
    (y,) = command(TOOL).run(model, feeds)
    np.testing.assert_allclose(y, material(CASE).expected["output"], rtol=1e-6)


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("import sys; sys.exit('out of memory')", ModelNotRunError, "exit code 1: out of memory"),
        ("import sys; sys.exit(77)", ModelNotSupportedError, "exit code 77"),
        ("pass", ModelNotRunError, "write {outputs}"),
        ("import sys; open(sys.argv[3], 'w').write('x')", ModelNotRunError, "npz"),
        ("import sys, numpy; numpy.savez(sys.argv[3], y=1)", ModelNotRunError, "named 'output'"),
        (
            "import sys, numpy; numpy.savez(sys.argv[3], output=numpy.array([{}], object))",
            ModelNotRunError,
            "Python objects",
        ),
    ],
)
def test_a_command_that_fails_says_how(command, source, error, said):
    model, feeds = built(CASE)
    with pytest.raises(error, match=said) as caught:
        load(command(source), model)(feeds)
    assert type(caught.value) is error


def test_a_command_that_hangs_is_stopped(command):
    from softops.conformance.elsewhere.command import CommandRuntime

    model, feeds = built(CASE)
    slow = CommandRuntime(command("import time; time.sleep(60)").name.removeprefix("cmd: "), seconds=0.5)
    with pytest.raises(RuntimeHungError, match=r"0\.5 seconds"):
        load(slow, model)(feeds)


def test_a_program_that_is_not_there():
    model, feeds = built(CASE)
    with pytest.raises(RuntimeUnusableError, match="can be started"):
        load(get_runtime("cmd: ./no-such-tool {model} {inputs} {outputs}"), model)(feeds)
