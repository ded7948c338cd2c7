"""Small models that the tests of `softops.opset` share."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
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


def onnxruntime_node(
    op_type: str,
    opset: int,
    inputs: Sequence[np.ndarray | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    domain: str = "",
    outputs: int = 1,
) -> list[np.ndarray]:
    """Outputs of a single node in onnxruntime; an input of None is left out."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    feeds = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
    node = onnx.helper.make_node(
        op_type, names, [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {})
    )
    graph = onnx.helper.make_graph(
        [node],
        "single",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), [None] * x.ndim
            )
            for name, x in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output],
    )
    # ONNX itself at the opset asked for; the node's own domain beside it.
    opsets = {"": opset} if not domain else {"": 17, domain: opset}
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(*entry) for entry in opsets.items()], ir_version=8
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses it says by the exception as well
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


@pytest.fixture(scope="session")
def onnxruntime_of() -> Callable[..., list[np.ndarray]]:
    return onnxruntime_node


@pytest.fixture(scope="session")
def node_cases():
    """Every node test that onnx ships; collecting them takes 11 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making all cases of onnx overflows and divides by zero on purpose
        return load_model_tests(kind="node")
