"""validate catches what is wrong: faults planted into a right runtime."""

import re

import numpy as np
import onnx
import pytest

from softops.conformance import validate
from softops.export import classifier_head
from softops.opset.backend import prepare


class Faulty:
    """Our backend, with the outputs changed by name before they are handed out."""

    name, version = "faulty", "1"

    def __init__(self, change, *, only_plain=False):
        self._change = change
        self._only_plain = only_plain

    def run(self, model, feeds):
        prepared = prepare(model)
        outputs = dict(zip(prepared.output_names, prepared.run(dict(feeds)), strict=True))
        if not self._only_plain or "logits" not in outputs:
            outputs = self._change(outputs)
        return list(outputs.values())


def changed(name, function):
    def change(outputs):
        return {**outputs, name: function(outputs[name].copy())} if name in outputs else outputs

    return change


def replaced(array, where, value):
    array[where] = value
    return array


def wrong_axis(outputs):
    from softops.opset import reference

    if "logits" not in outputs:
        return outputs
    return {**outputs, "probabilities": reference.softmax(outputs["logits"], 0, dtype=np.float32)}


def one_label_wrong(labels):
    labels[17] = (labels[17] + 1) % 10
    return labels


def half_precision(probabilities):
    return probabilities.astype(np.float16).astype(np.float32)


FAULTS = {
    "softmax along the batch": (wrong_axis, "Softmax-13 gave"),
    "tail flushed below 1e-6": (
        changed("probabilities", lambda p: np.where(p < 1e-6, np.float32(0), p)),
        "Softmax-13 gave 0.0",
    ),
    "row sums off by 1e-4": (changed("probabilities", lambda p: p * np.float32(1 + 1e-4)), "Softmax-13"),
    "one row of 256 off by 1e-5": (
        changed("probabilities", lambda p: replaced(p, 3, p[3] * np.float32(1 + 1e-5))),
        r"probabilities\[3, ",
    ),
    "half precision inside": (changed("probabilities", half_precision), "Softmax-13"),
    "uniform": (changed("probabilities", lambda p: np.full_like(p, 0.1)), "Softmax-13"),
    "one NaN": (changed("probabilities", lambda p: replaced(p, (5, 5), np.nan)), r"\[5, 5\].*nan"),
    "one label of 256": (changed("label", one_label_wrong), r"label\[17\]: ArgMax gave .* \(1 of 256"),
    "label of the smallest": (
        lambda o: {**o, "label": o["logits"].argmin(1)} if "logits" in o else o,
        "label",
    ),
    "logits accumulated in half precision": (
        changed("logits", lambda z: z.astype(np.float16).astype(np.float32)),
        "Gemm gave",
    ),
    "bias forgotten": (changed("logits", lambda z: z - np.float32(1e-3)), "Gemm gave"),
    "columns missing": (changed("probabilities", lambda p: p[:, :-1]), r"expected shape \[256, 10\]"),
    "batch turned": (changed("probabilities", lambda p: p.T), r"got \[10, 256\]"),
    "wider dtype": (changed("probabilities", lambda p: p.astype(np.float64)), "expected float32.*float64"),
    "narrower labels": (changed("label", lambda y: y.astype(np.int32)), "expected int64.*int32"),
    "labels as strings": (changed("label", lambda y: y.astype(str)), "expected int64.*string"),
    "an output missing": (lambda o: dict(list(o.items())[1:]), "outputs"),
    "an output too many": (lambda o: {**o, "more": np.zeros(1)}, "outputs"),
    "no outputs": (lambda _: {}, "outputs"),
    "outputs swapped": (lambda o: dict(reversed(list(o.items()))), "label: expected int64"),
}


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(0)
    weight = 0.3 * random.standard_normal((10, 64))
    return classifier_head(weight, random.standard_normal(10), dtype="float32")


def test_without_a_fault_it_passes(model):
    report = validate(model, Faulty(lambda outputs: outputs))
    assert report.passed, report.failures


# Made of the logits, which this runtime hides then, or within what their rounding does to probabilities.
ONLY_WATCHED = {
    "softmax along the batch",
    "label of the smallest",
    "logits accumulated in half precision",
    "bias forgotten",
    "one row of 256 off by 1e-5",
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_is_caught(fault, model):
    change, message = FAULTS[fault]
    report = validate(model, Faulty(change))
    assert not report.passed
    assert any(re.search(message, failure) for failure in report.failures), report.failures


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ONLY_WATCHED])
def test_is_caught_in_a_runtime_that_is_right_when_asked_for_its_logits(fault, model):
    report = validate(model, Faulty(FAULTS[fault][0], only_plain=True))
    assert not report.passed


def test_nan_swallowed_is_caught(model):
    x = np.ones((3, 64), np.float32)
    x[1, 5] = np.nan
    report = validate(model, Faulty(changed("probabilities", np.nan_to_num)), x)
    assert not report.passed
    assert "expected nan" in report.failures[0]
    assert validate(model, Faulty(lambda outputs: outputs), x).passed


def test_a_masked_class_must_be_exactly_0():
    head = classifier_head(np.eye(3, dtype=np.float32))
    value = onnx.helper.make_tensor_value_info
    nodes = [onnx.helper.make_node("Softmax", ["x"], ["y"])]
    inputs, outputs = (value(name, onnx.TensorProto.FLOAT, ["N", 3]) for name in "xy")
    graph = onnx.helper.make_graph(nodes, "g", [inputs], [outputs])
    model = onnx.helper.make_model(graph, opset_imports=head.opset_import, ir_version=8)
    x = np.array([[0, -np.inf, 1]], np.float32)
    tiny = changed("y", lambda y: replaced(y, (0, 1), np.float32(1e-45)))
    assert validate(model, Faulty(lambda outputs: outputs), x).passed
    assert not validate(model, Faulty(tiny), x).passed


def test_labels_of_strings_are_judged_too():
    head = classifier_head(np.eye(3, dtype=np.float32), labels=["a", "b", "c"])
    report = validate(head, Faulty(changed("label", lambda y: replaced(y, 0, "c" if y[0] != "c" else "a"))))
    assert not report.passed
    assert "label[0]: Gather gave" in report.failures[0]


def test_a_tighter_bound_of_the_users_own(model):
    assert validate(model, max_ulp=1e6).passed
    report = validate(model, max_ulp=1)
    assert not report.passed
    assert "within 1 ULP" in report.failures[0]


def test_nothing_compared_does_not_pass(model):
    report = validate(model, inputs=np.empty((0, 64), np.float32))
    assert not report.passed
    assert "nothing was compared" in report.failures[0]


def test_the_order_of_summation_is_nobodys_fault(model):
    weight, bias = (onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer)

    class Backwards(Faulty):
        def run(self, model, feeds):
            names = [value.name for value in onnx.load_from_string(model).graph.output]
            logits = np.zeros((len(feeds["features"]), 10), np.float32)
            for column in reversed(range(64)):
                logits += feeds["features"][:, column, None] * weight[:, column]
            logits += bias
            y = np.exp(logits - logits.max(1, keepdims=True))
            every = {
                "logits": logits,
                "probabilities": y / y.sum(1, keepdims=True),
                "label": logits.argmax(1),
            }
            return [every[name] for name in names]

    report = validate(model, Backwards(None))
    assert report.passed, report.failures
    # More than a softmax alone may be off by.
    assert report.outputs["probabilities"].max_ulp > 20
