"""Add the five best labels, with their probabilities, to an image model that gives bare scores.

    python examples/add_top5_labels.py

Writes image_model.onnx (the existing model: it stands for yours) and labelled.onnx into the working folder.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from softops.export import append_head

LABELS = ["airplane", "bird", "boat", "car", "cat", "deer", "dog", "frog", "horse", "truck"]


def image_model() -> onnx.ModelProto:
    """A small network, not trained: images (N, 3, 32, 32) to one score for each of ten classes."""
    random = np.random.default_rng(0)
    shapes = {"filters": (16, 3, 5, 5), "weight": (10, 16), "bias": (10,)}
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["images", "filters"], ["edges"], strides=[2, 2]),
        helper.make_node("Relu", ["edges"], ["active"]),
        helper.make_node("GlobalMaxPool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["scores"], transB=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(LABELS)])
    graph = helper.make_graph(nodes, "image_model", [images], [scores], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


onnx.save(image_model(), "image_model.onnx")
append_head("image_model.onnx", "scores", labels=LABELS, top_k=5, temperature=10, path="labelled.onnx")

images = np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(np.float32)
session = onnxruntime.InferenceSession("labelled.onnx")
probabilities, labels = session.run(["top_k_values", "top_k_labels"], {"images": images})
for row, names in zip(probabilities, labels, strict=True):
    print(", ".join(f"{name} {share:.1%}" for name, share in zip(names, row, strict=True)))
