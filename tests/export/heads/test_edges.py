"""No rows, one row, rows of NaN and of infinities: every head, in onnxruntime and in our backend."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import (
    attention,
    binary_head,
    classifier_head,
    entmax15_head,
    from_sklearn,
    gradient,
    linear_loss,
    lm_head,
    loss,
    multilabel_head,
    policy_head,
    sparsemax_head,
)
from softops.opset.backend import prepare

NEWEST = onnx.defs.onnx_opset_version()
RANDOM = np.random.default_rng(11)
WEIGHT = RANDOM.normal(size=(5, 3))


def scikit_learn(**options):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'softops[test]'")
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=2)
    return from_sklearn(model.fit(*load_wine(return_X_y=True)), **options)


BEST = {"top_k": 5, "labels": list("abcde")}
MODELS = {
    "softmax": lambda **o: classifier_head(WEIGHT, **BEST, **o),
    "log_softmax": lambda **o: classifier_head(WEIGHT, activation="log_softmax", **BEST, **o),
    "none": lambda **o: classifier_head(WEIGHT, activation="none", **BEST, **o),
    "threshold": lambda **o: classifier_head(WEIGHT, threshold=0.5, **BEST, **o),
    "binary_head": lambda **o: binary_head(WEIGHT[0], labels=["no", "yes"], **o),
    "binary_head of one column": lambda **o: binary_head(WEIGHT[0], columns=1, **o),
    "multilabel_head": lambda **o: multilabel_head(WEIGHT, **o),
    "from_sklearn": scikit_learn,
    "lm_head": lambda **o: lm_head(WEIGHT, top_k=5, softcap=3.0, **o),
    "policy_head": lambda **o: policy_head(5, outputs=["probabilities", "greedy_action"], **o),
    "sparsemax_head": lambda **o: sparsemax_head(WEIGHT, **BEST, **o),
    "entmax15_head": lambda **o: entmax15_head(WEIGHT, **BEST, **o),
    "loss": lambda **o: loss(5, reduction="none", **o),
    "loss of parts": lambda **o: loss(5, reduction="none", decompose=True, **o),
    "gradient": lambda **o: gradient("loss", 5, reduction="sum", **o),
    "linear_loss": lambda **o: linear_loss(5, 3, reduction="none", outputs=["loss", "dx"], **o),
    "attention": lambda **o: attention(2, 4, **o),
    "attention with a sink": lambda **o: attention(2, 4, sink=[0.5, -np.inf], **o),
}


def in_onnxruntime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))


def in_softops(model, feeds):
    prepared = prepare(model)
    return dict(zip(prepared.output_names, prepared.run(feeds), strict=True))


def feeds_for(model, rows, fill=None):
    sizes = {"batch": rows, "sequence": 2, "queries": 2, "keys": 2}
    feeds = {}
    for value in model.graph.input:
        shape = [dim.dim_value or sizes[dim.dim_param] for dim in value.type.tensor_type.shape.dim]
        whole = value.type.tensor_type.elem_type == onnx.TensorProto.INT64
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feeds[value.name] = RANDOM.integers(0, 5, shape) if whole else RANDOM.normal(size=shape).astype(dtype)
        if fill is not None and not whole:
            feeds[value.name][...] = fill
    return feeds


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21, NEWEST])
@pytest.mark.parametrize("name", MODELS)
def test_no_row_and_one_row(name, opset, rows):
    if (name, rows) == ("loss", 0) and opset >= 12:
        pytest.skip("onnxruntime's function of SoftmaxCrossEntropyLoss reshapes to (0, 5, -1)")
    model = MODELS[name](opset=opset, dtype="float32")
    feeds = feeds_for(model, rows)
    theirs, ours = in_onnxruntime(model, feeds), in_softops(model, feeds)
    assert list(theirs) == list(ours)
    for key, value in ours.items():
        assert (theirs[key].shape, theirs[key].dtype) == (value.shape, value.dtype), key
        assert value.shape[0] == rows
        if value.dtype.kind == "f":
            # Sums of five products, in another order.
            np.testing.assert_allclose(theirs[key], value, rtol=1e-5, atol=1e-5, err_msg=key)
        else:
            np.testing.assert_array_equal(theirs[key], value, err_msg=key)


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("opset", [9, 13, NEWEST])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "gradient"])
def test_nan_comes_out_as_nan(name, opset, run):
    """And labels are some of those that there are, the one for unsure rows where there is a threshold."""
    model = MODELS[name](opset=opset, dtype="float32")
    got = run(model, feeds_for(model, 3, np.nan))
    for key, value in got.items():
        if value.dtype.kind == "f":
            assert np.isnan(value).all(), key
    if name == "threshold":
        assert got["label"].tolist() == [""] * 3
    elif name in ("softmax", "log_softmax", "none", "sparsemax_head", "entmax15_head"):
        assert set(got["label"]) <= set("abcde")
        assert all(set(row) <= set("abcde") for row in got["top_k_labels"])


@pytest.mark.parametrize("run", [in_onnxruntime, in_softops])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_logits_that_overflow_in_a_half_are_right_all_the_same(run, dtype):
    """Halves are computed in float32, and infinite at most where they leave."""
    model = classifier_head(
        np.full((2, 1), 300) * [[1], [2]], dtype=dtype, outputs=["logits", "probabilities"]
    )
    got = run(model, {"features": np.full((1, 1), 300, dtype)})
    assert got["probabilities"].tolist() == [[0, 1]]
    assert np.isinf(got["logits"]).tolist() == [[dtype == "float16"] * 2]
