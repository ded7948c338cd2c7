"""bfloat16 models in onnxruntime, which has no NumPy arrays of it: with a Cast to float32 around them."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.export import entmax15_head, gradient, lm_head, loss, policy_head, sparsemax_head
from softops.opset.backend import prepare

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
RANDOM = np.random.default_rng(2)
WEIGHT, X, LABELS = RANDOM.normal(size=(5, 4)), RANDOM.normal(size=(6, 4)), np.array([0, 1, 2, 3, 0, 1])
MODELS = {
    "lm_head": lambda **o: lm_head(WEIGHT, sequence=None, softcap=3.0, vocabulary=4, temperature=0.5, **o),
    "policy_head": lambda **o: policy_head(weight=WEIGHT, temperature=0.5, outputs=["probabilities"], **o),
    "sparsemax_head": lambda **o: sparsemax_head(WEIGHT, outputs=["probabilities"], **o),
    "entmax15_head": lambda **o: entmax15_head(WEIGHT, outputs=["probabilities"], **o),
    "loss": lambda **o: loss(4, reduction="none", **o),
    "loss of plain operators": lambda **o: loss(4, reduction="none", decompose=True, **o),
    "gradient": lambda **o: gradient("loss", 4, class_weight=np.arange(1.0, 5), **o),
}


def with_float32_around(model):
    """The same model with inputs and outputs of float32."""
    wrapped = onnx.ModelProto()
    wrapped.CopyFrom(model)
    graph = wrapped.graph
    before, after = [], []
    for values, casts, to in (
        (graph.input, before, TensorProto.BFLOAT16),
        (graph.output, after, TensorProto.FLOAT),
    ):
        for value in values:
            if value.type.tensor_type.elem_type == TensorProto.BFLOAT16:
                inner, value.name = value.name, f"{value.name}_wide"
                value.type.tensor_type.elem_type = TensorProto.FLOAT
                ends = [value.name, inner] if casts is before else [inner, value.name]
                casts.append(helper.make_node("Cast", ends[:1], ends[1:], to=to))
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    return wrapped


@pytest.mark.parametrize("opset", [13, 17, 21, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_computes_what_our_backend_does(name, opset):
    model = MODELS[name](opset=opset, dtype=BFLOAT16)
    first = model.graph.input[0].name
    feeds = {first: X.astype(BFLOAT16)}
    if len(model.graph.input) > 1:
        feeds["labels"] = LABELS
    (ours,) = prepare(model).run(feeds)
    assert ours.dtype == BFLOAT16
    feeds[f"{first}_wide"] = feeds.pop(first).astype(np.float32)
    (theirs,) = onnxruntime.InferenceSession(with_float32_around(model).SerializeToString()).run(None, feeds)
    # The same number in float32 but for some roundings: at most the neighbour in bfloat16.
    np.testing.assert_allclose(theirs, ours.astype(np.float32), rtol=2.0**-7, atol=1e-6)
