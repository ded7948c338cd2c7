"""What a type checker knows of results and options: mypy over a program that uses the public functions."""

import os
import subprocess
import sys

import pytest

from softops import conformance, export, numba_kernels, opset

PROGRAM = """
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from softops import numba_kernels as k
from softops.conformance import noise
from softops.export import classifier_head, gradient, loss

single = np.zeros((2, 3), np.float32)
double = np.zeros((2, 3))
labels = np.zeros(2, np.int64)

assert_type(k.softmax(single), NDArray[np.float32])
assert_type(k.softmax(double, axis=(0, 1), temperature=2.0), NDArray[np.float64])
assert_type(k.softmax(single, None, where=single > 0, out=single), NDArray[np.float32])
assert_type(k.softmax([1, 2, 3]), NDArray[Any])
assert_type(k.log_softmax(single.astype(np.float16)), NDArray[np.float16])
assert_type(k.hardmax(single), NDArray[np.float32])
assert_type(k.sigmoid(single), NDArray[np.float32])
assert_type(k.gelu(double, "tanh"), NDArray[np.float64])
assert_type(k.tanh(0.5), NDArray[Any])
assert_type(k.sparsemax(double), NDArray[np.float64])
assert_type(k.entmax(single, 1.3), NDArray[np.float32])
assert_type(k.softmax_grad(single, single), NDArray[np.float32])
assert_type(k.cross_entropy_grad(double, labels), NDArray[np.float64])
assert_type(k.topk(single, 2), tuple[NDArray[np.float32], NDArray[np.int64]])
assert_type(k.linear_softmax(single, single), NDArray[np.float32])
assert_type(k.rms_norm(single), NDArray[np.float32])
assert_type(k.__version__, str)
"""
WRONG = {
    "k.cross_entropy(single, labels, reduction='average')": "cross_entropy",
    "k.gelu(single, 'erf')": "gelu",
    "k.sample(single, order='vlm')": "order",
    "classifier_head(single, activation='sofmax')": "activation",
    "gradient('sofmax', 3)": "gradient",
    "loss(3, reduction='average')": "reduction",
    "noise('model.onnx', dtype='int8')": "noise",
    "k.softmx(single)": "softmx",
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The lines that mypy complains of, over the packages as they are installed here."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("typed")
    for package in (numba_kernels, opset, export, conformance):
        (folder / "softops").mkdir(exist_ok=True)
        (folder / "softops" / package.__name__.partition(".")[2]).symlink_to(package.__path__[0])
    source = PROGRAM + "".join(f"{line}\n" for line in WRONG)
    (folder / "program.py").write_text(source)
    command = ["-m", "mypy", "--namespace-packages", "--explicit-package-bases", "--follow-imports=silent"]
    options = ["--ignore-missing-imports", "--python-version=3.11", f"--cache-dir={folder / 'cache'}"]
    done = subprocess.run(
        [sys.executable, *command, *options, "program.py"],
        cwd=folder,
        env=os.environ | {"MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    found = {}
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(":")
        number, _, message = rest.partition(":")
        if name == "program.py" and message.startswith(" error"):
            found.setdefault(source.splitlines()[int(number) - 1], []).append(message)
    assert found, done.stdout + done.stderr
    return found


def test_the_result_has_the_dtype_of_the_argument(checked):
    assert {line: said for line, said in checked.items() if line not in WRONG} == {}


@pytest.mark.parametrize("line", WRONG)
def test_a_word_that_is_not_taken_is_an_error(checked, line):
    assert WRONG[line] in checked[line][0]
