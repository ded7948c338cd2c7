"""The node tests that onnx itself ships for our operators."""

import re

import onnx
import pytest
from onnx.backend.test.runner import Runner

from softops.opset import attention, reference_attention
from softops.opset.backend import prepare
from softops.opset.rounding import rounded

OURS = re.compile(r"test_(softmax|logsoftmax|hardmax|sigmoid)(_|$)")


@pytest.fixture(scope="module")
def cases(node_cases):
    return [case for case in node_cases if OURS.match(case.name)]


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


def test_official_attention_by_kernel_and_oracle(node_cases):
    cases = [case for case in node_cases if re.match(r"test_attention(?!.*expanded)", case.name)]
    assert len(cases) >= 93, "onnx 1.23 has 93"
    for case in cases:
        (node,) = case.model.graph.node
        version = min(case.model.opset_import[0].version, 25)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for inputs, outputs in case.data_sets:
            values = iter(inputs)
            given = [next(values) if name else None for name in node.input]
            asked = {"version": version, "outputs": len(node.output)}
            for function in (attention.run, reference_attention.evaluate):
                got = function(given, attributes, **asked)
                got = [x for x, name in zip(got, node.output, strict=True) if name]
                if function is reference_attention.evaluate:
                    got = [rounded(x, y.dtype) for x, y in zip(got, outputs, strict=True)]
                Runner.assert_similar_outputs(outputs, got, case.rtol, case.atol)
