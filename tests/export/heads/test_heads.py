"""Every head, run in onnxruntime and in our backend, against what its formula says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softops.export import classifier_head
from softops.opset import reference
from softops.opset.backend import prepare

OPSETS = [7, 8, 9, 11, 13, 17, 21, onnx.defs.onnx_opset_version()]
ORACLES = {
    "softmax": reference.softmax,
    "log_softmax": reference.log_softmax,
    "hardmax": reference.hardmax,
    "none": lambda logits, axis: logits,
}
OUTPUTS = {
    "softmax": "probabilities",
    "log_softmax": "log_probabilities",
    "hardmax": "probabilities",
    "none": "logits",
}


def in_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [value.name for value in session.get_outputs()], session.run(None, {"features": x})


def in_softops(model, x):
    prepared = prepare(model)
    return prepared.output_names, prepared.run({"features": x})


RUNTIMES = [in_onnxruntime, in_softops]


def weights(classes=5, features=7, dtype="float32", seed=0):
    random = np.random.default_rng(seed)
    weight = random.standard_normal((classes, features)).astype(dtype)
    return (
        weight,
        random.standard_normal(classes).astype(dtype),
        random.standard_normal((9, features)).astype(dtype),
    )


def expect(outputs, weight, bias, x, *, activation="softmax", labels=None):
    """
    Assert labels and scores.

    The tolerance is that of 7 products of size about 1 and a softmax of them, in float32 for float16, and of the
    rounding to the dtype.
    """
    label, scores = outputs
    logits = x.astype(np.longdouble) @ weight.T.astype(np.longdouble) + (0 if bias is None else bias)
    winners = logits.argmax(1)
    np.testing.assert_array_equal(label, winners if labels is None else np.array(labels)[winners])
    assert scores.dtype == weight.dtype
    exact = ORACLES[activation](logits.astype(np.longdouble), 1)
    work = 64 * min(float(np.finfo(weight.dtype).eps), float(np.finfo("float32").eps))
    own = float(np.finfo(weight.dtype).eps) / 2
    np.testing.assert_allclose(
        scores.astype(np.float64), exact.astype(np.float64), rtol=work + own, atol=work
    )


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("activation", list(ORACLES))
def test_every_head_at_every_opset(run, opset, dtype, activation):
    if run is in_onnxruntime and (activation, dtype) == ("hardmax", "float64"):
        pytest.skip("onnxruntime has a CPU kernel of Hardmax for float32 only")
    weight, bias, x = weights(dtype=dtype)
    names, outputs = run(classifier_head(weight, bias, activation=activation, opset=opset), x)
    assert names == ["label", OUTPUTS[activation]]
    expect(outputs, weight, bias, x, activation=activation)


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("labels", [["no", "yes", "äh", "", "x y"], [10, -3, 0, 7, 2**40]])
def test_labels_are_looked_up_and_bias_may_be_missing(run, opset, labels):
    weight, _, x = weights()
    model = classifier_head(weight, labels=labels, opset=opset)
    _, outputs = run(model, x)
    expect(outputs, weight, None, x, labels=labels)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["softops.labels"]) == labels
    assert metadata["softops.version"]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["float32", "float64"]),
    opset=st.sampled_from(OPSETS),
    strings=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_shape_runs_alike_in_both(shape, dtype, opset, strings, seed):
    classes, features = shape
    weight, bias, x = weights(*shape, dtype, seed)
    labels = [f"class {i}" for i in range(classes)] if strings else None
    model = classifier_head(weight, bias, labels=labels, opset=opset)
    (_, theirs), (_, ours) = in_onnxruntime(model, x), in_softops(model, x)
    np.testing.assert_array_equal(theirs[0], ours[0])
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(theirs[1], ours[1], rtol=0, atol=64 * eps * features)
    np.testing.assert_allclose(ours[1].sum(1), 1, rtol=classes * eps + eps)


@pytest.mark.parametrize("run", RUNTIMES)
def test_the_label_is_that_of_the_larger_logit_and_of_equal_ones_the_first(run):
    close = np.nextafter(np.float32(20), np.float32(30))
    # softmax makes 0.5 of the first two, or nearly so: it cannot tell them apart as well as the logits can.
    model = classifier_head(np.array([[20], [close], [0]], np.float32))
    assert run(model, np.array([[1], [0]], np.float32))[1][0].tolist() == [1, 0]


def test_labels_from_0_on_need_no_lookup():
    weight, bias, _ = weights()
    plain = classifier_head(weight, bias)
    assert classifier_head(weight, bias, labels=range(5)).graph == plain.graph
    assert [node.op_type for node in plain.graph.node] == ["Gemm", "Softmax", "ArgMax"]
    assert [tensor.name for tensor in plain.graph.initializer] == ["weight", "bias"]


def test_the_batch_axis_has_a_name_or_a_length():
    weight, bias, x = weights()

    def first_dims(**options):
        graph = classifier_head(weight, bias, **options).graph
        return [value.type.tensor_type.shape.dim[0] for value in (graph.input[0], *graph.output)]

    assert [dim.dim_param for dim in first_dims()] == ["batch"] * 3
    assert [dim.dim_param for dim in first_dims(batch="N")] == ["N"] * 3
    assert [dim.dim_value for dim in first_dims(batch=4)] == [4] * 3
    assert in_onnxruntime(classifier_head(weight, bias), x[:1])[1][1].shape == (1, 5)
    assert in_onnxruntime(classifier_head(weight, bias), x[:0])[1][1].shape == (0, 5)


def test_the_softmax_axis_is_written_out():
    weight, bias, _ = weights()
    for activation in ("softmax", "log_softmax", "hardmax"):
        for opset in OPSETS:
            node = classifier_head(weight, bias, activation=activation, opset=opset).graph.node[1]
            assert [(a.name, a.i) for a in node.attribute] == [("axis", 1)]


@pytest.mark.parametrize(("opset", "ir_version"), [(7, 3), (9, 4), (11, 6), (13, 7), (17, 8), (21, 10)])
def test_the_ir_version_is_the_one_the_opset_came_with(opset, ir_version):
    assert classifier_head(weights()[0], opset=opset).ir_version == ir_version


def test_equal_arguments_give_equal_bytes_and_options_are_kept(tmp_path):
    weight, bias, _ = weights()
    path = tmp_path / "head.onnx"
    model = classifier_head(weight, bias, labels=list("abcde"), path=path, doc_string="what it is")
    again = classifier_head(
        weight.copy(order="F"), bias, labels=np.array(list("abcde")), doc_string="what it is"
    )
    assert path.read_bytes() == again.SerializeToString(deterministic=True)
    assert model.doc_string == "what it is"
    assert "7 features to 5 classes" in classifier_head(weight).doc_string
    assert classifier_head(weight, names={"features": "x"}).graph.input[0].name == "x"


def test_dtype_rounds_the_weights():
    weight, bias, x = weights(dtype="float64")
    model = classifier_head(weight, bias, dtype="float32")
    single = x.astype(np.float32)
    expect(in_softops(model, single)[1], weight.astype(np.float32), bias.astype(np.float32), single)
    integers = classifier_head(np.eye(3, dtype=int), dtype=np.float32)
    assert in_softops(integers, np.eye(3, dtype=np.float32))[1][0].tolist() == [0, 1, 2]
