"""The options that every export function takes."""

import json

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import classifier_head
from softops.export.builder.options import read_options

WEIGHT = np.eye(3, dtype=np.float32)


def target(model):
    return model.opset_import[0].version, model.ir_version


@pytest.mark.parametrize(
    ("runtime", "expected"),
    # What the releases read is on https://onnxruntime.ai/docs/reference/compatibility.html.
    [
        ("onnxruntime==1.0", (11, 6)),
        ("onnxruntime==1.8.1", (14, 7)),
        ("onnxruntime==1.17", (20, 9)),
        (" ONNXRuntime == 1.20.0 ", (21, 10)),
        ("onnxruntime==0.3", (9, 3)),
    ],
)
def test_a_runtime_picks_opset_and_ir_version(runtime, expected):
    assert target(classifier_head(WEIGHT, for_runtime=runtime)) == expected


def test_the_runtime_that_is_installed_loads_what_is_made_for_it():
    model = classifier_head(WEIGHT, for_runtime=f"onnxruntime=={onnxruntime.__version__}")
    onnxruntime.InferenceSession(model.SerializeToString())


def test_an_opset_beside_a_runtime_is_checked_against_it():
    assert target(classifier_head(WEIGHT, for_runtime="onnxruntime==1.17", opset=13)) == (13, 7)
    with pytest.raises(ValueError, match=r"up to 20.*onnxruntime==1\.17.*got 21"):
        classifier_head(WEIGHT, for_runtime="onnxruntime==1.17", opset=21)


@pytest.mark.parametrize("opset", range(7, onnx.defs.onnx_opset_version() + 1))
def test_the_ir_version_is_the_one_that_came_with_the_opset(opset):
    """By the table of releases in onnx's versioning text, which `onnx.helper` carries."""
    released = [row[1] for row in onnx.helper.VERSION_TABLE if row[2] == opset]
    assert target(classifier_head(WEIGHT, opset=opset)) == (opset, min(released))


def test_names_may_be_any_and_never_clash():
    taken = {"features": "weight", "label": "logits", "probabilities": "class_index"}
    for opset in (7, 17):
        model = classifier_head(WEIGHT, labels=list("abc"), names=taken, opset=opset)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        label, probabilities = session.run(["logits", "class_index"], {"weight": WEIGHT})
        assert label.tolist() == ["a", "b", "c"]
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
        assert [node.name for node in model.graph.node] == [node.output[0] for node in model.graph.node]


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_halves_touch_nothing_but_casts_and_weights_keep_the_dtype(dtype):
    model = classifier_head(WEIGHT, np.ones(3), dtype=dtype, top_k=2)
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert (stored["weight"], stored["bias"]) == (element, element)
    types = {
        value.name: value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)
    }
    assert types["features"] == types["probabilities"] == types["top_k_values"] == element
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    types |= {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info} | stored
    if np.dtype(dtype).itemsize == 2:
        for node in model.graph.node:
            touched = {types[name] for name in (*node.input, *node.output)}
            assert node.op_type == "Cast" or element not in touched, node


def test_metadata_of_the_user_stands_beside_ours():
    model = classifier_head(WEIGHT, labels=list("abc"), temperature=0.1, metadata={"author": "me"})
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["author"] == "me"
    assert json.loads(metadata["softops.labels"]) == ["a", "b", "c"]
    assert json.loads(metadata["softops.temperature"]) == 0.1
    assert metadata["softops.version"] == model.producer_version


REFUSED = {
    "unknown option": (TypeError, "did you mean opset", {"opsets": 13}),
    "nothing like it": (TypeError, "'zzz'", {"zzz": 1}),
    "unknown runtime": (LookupError, "abacus", {"for_runtime": "abacus==1.0"}),
    "unknown release": (LookupError, r"1\.99\.x|never|0\.0", {"for_runtime": "onnxruntime==0.0"}),
    "no version": (
        ValueError,
        "runtime and its version.*'not-installed-anywhere'",
        {"for_runtime": "not-installed-anywhere"},
    ),
    "number": (ValueError, r"got 1\.17", {"for_runtime": 1.17}),
    "same name": (ValueError, "different", {"names": {"features": "a", "label": "a"}}),
    "name of another": (ValueError, "each input and output", {"names": {"features": "label"}}),
    "empty name": (ValueError, "not empty", {"names": {"features": ""}}),
    "no dict": (TypeError, "dict of strings", {"names": ["features"]}),
    "no such output": (ValueError, "'logits'.*features, label, probabilities", {"names": {"logits": "z"}}),
    "metadata of ours": (ValueError, r"softops\.labels", {"metadata": {"softops.labels": "x"}}),
    "metadata of numbers": (TypeError, "dict of strings", {"metadata": {"a": 1}}),
    "doc_string": (TypeError, "doc_string", {"doc_string": 3}),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_makes_no_sense_is_refused_with_nothing_written(case, tmp_path):
    error, message, options = REFUSED[case]
    with pytest.raises(error, match=message):
        classifier_head(WEIGHT, **options, path=tmp_path / "head.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_left_out_has_its_default():
    settings = read_options({})
    assert (settings.opset, settings.ir_version, settings.batch, settings.dtype) == (17, 8, "batch", None)
