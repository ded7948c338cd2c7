"""bfloat16 models in onnxruntime, whose `run` takes no NumPy arrays of it, and in our backend."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from softops.conformance.runtimes.onnxruntime import OnnxRuntime
from softops.export import (
    attention,
    binary_head,
    entmax15_head,
    from_sklearn,
    from_torch,
    gradient,
    lm_head,
    loss,
    multilabel_head,
    policy_head,
    sparsemax_head,
)
from softops.opset.backend import prepare

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
NEWEST = onnx.defs.onnx_opset_version()
RANDOM = np.random.default_rng(2)
WEIGHT = RANDOM.normal(size=(5, 4))
ALONE = {"outputs": ["probabilities"]}
HEADS = {"kv_heads": 2, "mask": "additive", "mask_axes": ("batch", 1, "queries", "keys"), "softcap": 2.0}


def scikit_learn(**options):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    return from_sklearn(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), **ALONE, **options)


def torch(**options):
    nn = pytest.importorskip(
        "torch.nn", reason="PyTorch is not installed: pip install 'softops[torch]'", exc_type=ImportError
    )
    net = nn.Sequential(nn.LayerNorm(4), nn.BatchNorm1d(4), nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))
    return from_torch(net, **ALONE, **options)


MODELS = {
    "binary_head": lambda **o: binary_head(WEIGHT[0], temperature=2, **ALONE, **o),
    "binary_head of one column": lambda **o: binary_head(WEIGHT[0], columns=1, **ALONE, **o),
    "multilabel_head": lambda **o: multilabel_head(WEIGHT, temperature=range(1, 6), **ALONE, **o),
    "from_sklearn": scikit_learn,
    "from_torch": torch,
    "lm_head": lambda **o: lm_head(WEIGHT, sequence=None, softcap=3.0, vocabulary=4, temperature=0.5, **o),
    "policy_head": lambda **o: policy_head(weight=WEIGHT, temperature=0.5, **ALONE, **o),
    "sparsemax_head": lambda **o: sparsemax_head(WEIGHT, **ALONE, **o),
    "entmax15_head": lambda **o: entmax15_head(WEIGHT, **ALONE, **o),
    "loss": lambda **o: loss(4, reduction="none", **o),
    "loss of plain operators": lambda **o: loss(4, reduction="none", decompose=True, **o),
    "gradient": lambda **o: gradient("loss", 4, class_weight=np.arange(1.0, 5), **o),
    "attention": lambda **o: attention(4, 8, causal=True, **HEADS, **o),
    "attention of parts": lambda **o: attention(4, 8, causal=True, operator=False, **HEADS, **o),
}


def feeds_for(model):
    """Six rows, three queries, five keys; labels below 4."""
    sizes = {"batch": 6, "queries": 3, "keys": 5}
    feeds = {}
    for value in model.graph.input:
        shape = [dim.dim_value or sizes[dim.dim_param] for dim in value.type.tensor_type.shape.dim]
        whole = value.type.tensor_type.elem_type == TensorProto.INT64
        feeds[value.name] = (
            RANDOM.integers(0, 4, shape) if whole else RANDOM.normal(size=shape).astype(BFLOAT16)
        )
    return feeds


@pytest.mark.parametrize("opset", [13, 17, 21, NEWEST])
@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_computes_what_our_backend_does(name, opset):
    model = MODELS[name](opset=opset, dtype=BFLOAT16)
    feeds = feeds_for(model)
    (ours,) = prepare(model).run(feeds)
    assert ours.dtype == BFLOAT16
    (theirs,) = OnnxRuntime().run(model.SerializeToString(), feeds)
    assert theirs.dtype == BFLOAT16
    # The same number in float32 but for some roundings: at most the neighbour in bfloat16.
    np.testing.assert_allclose(theirs.astype(np.float32), ours.astype(np.float32), rtol=2.0**-7, atol=1e-6)
