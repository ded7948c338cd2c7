"""The node tests that onnx itself ships for our operators."""

import re
import warnings

import onnx
import pytest
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from softops.opset.backend import prepare

OURS = re.compile(r"test_(softmax|logsoftmax|hardmax|sigmoid)(_|$)")


@pytest.fixture(scope="module")
def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making all cases of onnx overflows and divides by zero on purpose
        return [case for case in load_model_tests(kind="node") if OURS.match(case.name)]


def test_official_node_tests(cases):
    # Single nodes and bodies expanded into other operators; collecting them takes seconds, running does not.
    assert len(cases) >= 51, "onnx 1.23 has 7 for each softmax operator, 2 for Sigmoid and 28 expanded ones"
    for case in cases:
        rep = prepare(case.model)
        for inputs, outputs in case.data_sets:
            given, expected = (
                [onnx.numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]
                for values in (inputs, outputs)
            )
            Runner.assert_similar_outputs(expected, rep.run(given), case.rtol, case.atol)
