"""Small models that the tests of `softops.opset` share."""

import warnings
from collections.abc import Callable

import onnx
import pytest
from onnx.backend.test.loader import load_model_tests

ModelOf = Callable[..., onnx.ModelProto]


def single_node(
    op_type: str, opset: int, rank: int, *, dtype: int = onnx.TensorProto.FLOAT, **attributes: int
) -> onnx.ModelProto:
    """A model of one node, x -> y, of symbolic shapes; IR 8 is read by every onnxruntime we run on."""
    shape = [f"d{i}" for i in range(rank)]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op_type, ["x"], ["y"], **attributes)],
        "single",
        [onnx.helper.make_tensor_value_info("x", dtype, shape)],
        [onnx.helper.make_tensor_value_info("y", dtype, shape)],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def model_of() -> ModelOf:
    return single_node


@pytest.fixture(scope="session")
def node_cases():
    """Every node test that onnx ships; collecting them takes 11 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making all cases of onnx overflows and divides by zero on purpose
        return load_model_tests(kind="node")
