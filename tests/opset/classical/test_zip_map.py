"""Maps of probabilities by label, beside onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.opset import ModelError
from softops.opset.backend import prepare


@pytest.mark.parametrize(
    ("labels", "attribute", "key"),
    [([3, 5], "classlabels_int64s", "int64"), (["no", "yes"], "classlabels_strings", "string")],
)
def test_maps_by_label(labels, attribute, key):
    number = onnx.TensorProto.DataType.Value(key.upper())
    numbers = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    maps = onnx.helper.make_sequence_type_proto(onnx.helper.make_map_type_proto(number, numbers))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", **{attribute: labels})],
        "maps",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", "c"])],
        [onnx.helper.make_value_info("y", maps)],
    )
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)
    rep, x = prepare(model), np.float32([[0.25, 0.75], [1, 0]])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert rep.run([x]) == session.run(None, {"x": x})
    assert rep.outputs[0].type == f"seq(map({key},tensor(float)))"
    with pytest.raises(ModelError, match="2 class labels ask for rows of as many numbers"):
        rep.run([np.zeros((1, 3), np.float32)])
