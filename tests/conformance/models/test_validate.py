"""validate passes what is right."""

import json

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from softops.conformance import Report, ulp_distance, validate
from softops.export import classifier_head
from softops.opset.backend import prepare


def head(classes=10, features=64, scale=0.3, seed=0, dtype="float32", **options):
    """Make a head as large as one for handwritten digits, by default."""
    random = np.random.default_rng(seed)
    weight = scale * random.standard_normal((classes, features))
    return classifier_head(weight, random.standard_normal(classes), dtype=dtype, **options)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["softmax", "log_softmax", "none"])
def test_onnxruntime_computes_heads_right(opset, dtype, activation):
    model = head(dtype=dtype, activation=activation, opset=opset, labels=[f"digit {i}" for i in range(10)])
    report = validate(model)
    assert report.passed, report.failures
    assert list(report.outputs) == [value.name for value in model.graph.output]
    assert {step.tensor for step in report.steps} >= {"logits", *report.outputs}
    assert (report.runtime, report.opset, report.failures) == ("onnxruntime", opset, [])


@settings(max_examples=20, deadline=None)
@given(
    classes=st.integers(1, 300),
    features=st.integers(1, 300),
    scale=st.sampled_from([1e-3, 0.3, 10.0]),
    activation=st.sampled_from(["softmax", "log_softmax", "hardmax", "none"]),
    seed=st.integers(0, 99),
)
def test_onnxruntime_computes_heads_of_any_shape_right(classes, features, scale, activation, seed):
    report = validate(head(classes, features, scale, seed, activation=activation), seed=seed, batch=17)
    assert report.passed, report.failures


@pytest.mark.parametrize("activation", ["softmax", "log_softmax", "hardmax", "none"])
def test_our_backend_is_a_runtime_too(activation):
    """It computes as one what the run that it is compared with does node by node: labels are equal, scores near."""
    report = validate(head(activation=activation), "softops")
    assert report.passed, report.failures
    assert report.outputs["label"].equal == 1


def test_the_report_measures_what_the_outputs_are():
    model, x = head(), np.random.default_rng(1).standard_normal((50, 64)).astype(np.float32)
    report = validate(model, inputs=x)
    import onnxruntime

    theirs = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"features": x})[1]
    ours = prepare(model).run([x])[1]
    output = report.outputs["probabilities"]
    ulps = ulp_distance(theirs, ours)
    assert (output.shape, output.dtype, output.size) == ((50, 10), "float32", 500)
    assert np.array_equal(output.ulps, ulps)
    assert output.max_ulp == ulps.max() == ulps[output.worst_index]
    assert (output.worst_actual, output.worst_expected) == (
        theirs[output.worst_index],
        ours[output.worst_index],
    )
    assert output.mean_ulp == pytest.approx(ulps.mean())
    assert output.max_rel == pytest.approx(float(np.max(np.abs(theirs.astype(float) - ours) / ours)))
    assert output.row_sum_error == pytest.approx(np.abs(theirs.astype(float).sum(1) - 1).max())
    assert output.argmax_agreement == 1
    assert report.outputs["label"].equal == 1
    assert report.outputs["label"].max_ulp is None
    assert set(report.seconds) == {"onnxruntime", "softops"}
    assert all(0 < seconds < 10 for seconds in report.seconds.values())


def test_inputs_by_name_by_file_and_made_up(tmp_path):
    model = head()
    path, features = tmp_path / "head.onnx", np.ones((3, 64), np.float32)
    onnx.save(model, path)
    np.savez(tmp_path / "x.npz", features=features)
    reports = [
        validate(path, inputs=features),
        validate(str(path), inputs={"features": features}),
        validate(path.read_bytes(), inputs=tmp_path / "x.npz"),
    ]
    assert all(report.passed and report.seed is None for report in reports)
    assert {report.inputs["features"] for report in reports} == {("float32", (3, 64))}
    made_up = validate(model, seed=7, batch=5)
    assert (made_up.seed, made_up.inputs["features"]) == (7, ("float32", (5, 64)))


@pytest.mark.parametrize("opset", [7, 11, 12, 13, 21])
@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
def test_single_operators_along_every_axis(opset, axis, operator):
    if opset < 11 and axis < 0:
        axis += 3
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["a", "b", 5]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], axis=axis)], "g", value[:1], value[1:]
    )
    opsets = [helper.make_opsetid("", opset)]
    ir_version = helper.find_min_ir_version_for(opsets)
    report = validate(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version), batch=4)
    assert report.passed, report.failures
    (step,) = report.steps
    assert (step.rule, step.size) == ("exact value", 4 * 16 * 5)


def test_a_network_in_front_is_judged_in_pieces():
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,8] x) => (float[N,4] p, float[N,4] logged, int64[N] label, float[N,8] attended)
        <float[8,6] a, float[6] b, float[6,4] c>
        {
            inner = MatMul(x, a)
            biased = Add(inner, b)
            hidden = Relu(biased)
            logits = MatMul(hidden, c)
            p = Softmax<axis = 1>(logits)
            logged = Log(p)
            label = ArgMax<axis = 1, keepdims = 0>(p)
            turned = Transpose(x)
            scores = MatMul(x, turned)
            attention = Softmax(scores)
            attended = MatMul(attention, x)
        }
        """
    )
    random = np.random.default_rng(0)
    for name, shape in (("a", (8, 6)), ("b", (6,)), ("c", (6, 4))):
        array = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    report = validate(model, batch=32)
    assert report.passed, report.failures
    rules = {step.tensor: step.rule for step in report.steps}
    assert rules == {
        "logits": "noise",
        "p": "exact value",
        "logged": "noise",
        "label": "equal",
        "scores": "noise",
        "attention": "exact value",
        "attended": "noise",
    }


def test_special_values_are_values():
    x = np.zeros((6, 4), np.float32)
    x[0, 1], x[1, 2], x[2, 3], x[3], x[4] = np.nan, np.inf, -np.inf, -np.inf, 1e30
    identity = classifier_head(np.eye(4, dtype=np.float32))
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["a", 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", value[:1], value[1:])
    softmax = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for model in (identity, softmax):
        report = validate(model, inputs=x)
        assert report.passed, report.failures


def test_the_report_is_json():
    x = np.full((1, 64), np.nan, np.float32)
    report = validate(head(), inputs=x)
    assert isinstance(report, Report)
    record = json.loads(report.to_json())
    assert record["passed"] is report.passed
    assert record["outputs"]["probabilities"]["shape"] == [1, 10]
    assert record["steps"][1]["worst_actual"] == "nan"
    assert record["inputs"] == {"features": {"dtype": "float32", "shape": [1, 64]}}
