"""A workload as an ONNX model of one node, for the runtimes."""

import onnx
from onnx import TensorProto, helper

from ..workloads import Workload

OPSET = 18
ELEMENT = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
}


def onnx_model(workload: Workload) -> bytes | None:
    """The serialized model: inputs ``x`` (and ``labels``), output ``y``; None where ONNX has no such operator."""
    element, axis = ELEMENT[workload.dtype], workload.positive_axis
    x = helper.make_tensor_value_info("x", element, workload.shape)
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, workload.rows_shape)
    sources, shape, constants = [x], workload.shape, []
    match workload.operator:
        case "softmax":
            node = helper.make_node("Softmax", ["x"], ["y"], axis=axis)
        case "log_softmax":
            node = helper.make_node("LogSoftmax", ["x"], ["y"], axis=axis)
        case "hardmax":
            node = helper.make_node("Hardmax", ["x"], ["y"], axis=axis)
        case "sigmoid":
            node = helper.make_node("Sigmoid", ["x"], ["y"])
        case "softplus":
            node = helper.make_node("Softplus", ["x"], ["y"])
        case "logsumexp":
            node = helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=0)
            constants = [helper.make_tensor("axes", TensorProto.INT64, [1], [axis])]
            shape = workload.rows_shape
        case "cross_entropy":
            node = helper.make_node("SoftmaxCrossEntropyLoss", ["x", "labels"], ["y"], reduction="mean")
            sources, shape = [x, labels], ()
        case _:
            return None
    y = helper.make_tensor_value_info("y", element, shape)
    graph = helper.make_graph([node], workload.operator, sources, [y], constants)
    opset = helper.make_opsetid("", OPSET)
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized
