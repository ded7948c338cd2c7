"""What tests of surgery share: models from text, and running them."""

import numpy as np
import onnxruntime
import pytest
from onnx import parser

from softops.opset.backend import prepare

IR_VERSIONS = {7: 3, 8: 3, 9: 4, 11: 6, 12: 7, 13: 7, 17: 8, 18: 8, 21: 10}


@pytest.fixture
def parsed():
    """A model from the text of its graph (and functions), at an opset and the IR version it came with."""

    def parse(opset, text, *, imports="", ir_version=None):
        ir_version = ir_version or IR_VERSIONS.get(opset, 11)
        return parser.parse_model(f'<ir_version: {ir_version}, opset_import: ["" : {opset}{imports}]> {text}')

    return parse


@pytest.fixture
def run_onnxruntime():
    """Outputs by name, without onnxruntime's own rewriting: it changes roundings."""

    def run(model, feeds):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        source = model if isinstance(model, str) else model.SerializeToString()
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(None, feeds), strict=True))

    return run


@pytest.fixture
def run_softops():
    """Outputs by name, of our backend."""

    def run(model, feeds):
        prepared = prepare(model)
        return dict(zip(prepared.output_names, prepared.run(feeds), strict=True))

    return run


@pytest.fixture
def same_bits():
    """Assert that outputs are the same, to the bit and of the same type."""

    def compare(actual, expected):
        assert actual.keys() == expected.keys()
        for name, array in expected.items():
            assert actual[name].dtype == array.dtype, name
            np.testing.assert_array_equal(actual[name], array, err_msg=name)
            if array.dtype != object:
                assert actual[name].tobytes() == array.tobytes(), name

    return compare
