"""How many rows inputs are made up with, and of which shapes."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from softops.conformance import compare_runtimes, validate
from softops.conformance.errors import ModelNotSupportedError
from softops.conformance.models import batch as batches
from softops.conformance.steps.graph import ModelGraph
from softops.conformance.steps.source import open_source
from softops.export import classifier_head

HEAD = classifier_head(np.eye(4, dtype=np.float32))
OPEN = """<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,H,W] x) => (float[N,3,H,W] p) { p = Softmax<axis = 1>(x) }"""


def rows(report, name="x"):
    return report.inputs[name][1]


def test_a_small_model_gets_all_rows_and_no_note():
    report = validate(HEAD)
    assert rows(report, "features") == (256, 4)
    assert not any("batch" in note for note in report.notes)


def test_a_model_that_takes_much_memory_or_time_gets_fewer_and_it_is_said(monkeypatch):
    monkeypatch.setattr(batches, "_BYTES", 16 * 100)  # what a hundred logits and probabilities take
    report = validate(HEAD)
    count = rows(report, "features")[0]
    assert 2 <= count <= 100
    assert any(f"a batch of {count} was chosen" in note and "--batch" in note for note in report.notes)
    monkeypatch.setattr(batches, "_SHORT", 0.0)
    monkeypatch.setattr(batches, "_SECONDS", 0.0)
    assert rows(validate(HEAD), "features")[0] == 1
    assert rows(validate(HEAD, batch=7), "features") == (7, 4)


def test_shapes_are_given_by_name():
    model = onnx.parser.parse_model(OPEN)
    assert rows(validate(model, batch=2)) == (2, 3, 16, 16)
    assert rows(validate(model, shapes={"x": [1, 3, 5, 6]})) == (1, 3, 5, 6)
    with pytest.raises(ValueError, match=r"fits \[N, 3, H, W\]"):
        validate(model, shapes={"x": [1, 4, 5, 6]})
    with pytest.raises(ValueError, match="name an input"):
        validate(model, shapes={"z": [1]})


@pytest.mark.parametrize("first", ["N", "3"])
def test_lengths_that_a_network_does_not_take_are_tried_again(first):
    # A window of 20 does not fit 16, and does 64.
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17]>
        net (float[{first},1,L] x) => (float[{first},2,M] p) {{ c = Conv(x, w) p = Softmax<axis = 1>(c) }}""")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 1, 20), np.float32), "w"))
    report = validate(model)
    assert report.passed, report.failures
    assert rows(report)[1:] == (1, 64)


def test_lengths_that_take_too_much_memory_are_tried_again():
    # Each length above 1 makes 2^50 numbers.
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,L] x) => (float[N,L] p) <int64 one = {1}, int64 much = {1125899906842624}> {
            shape = Shape<start = 1>(x)
            more = Sub(shape, one)
            many = Mul(more, much)
            zeros = ConstantOfShape(many)
            zero = ReduceSum<keepdims = 0>(zeros)
            sum = Add(x, zero)
            p = Softmax(sum)
        }""")
    report = validate(model)
    assert report.passed, report.failures
    assert rows(report)[1:] == (1,)


def test_an_opset_that_nobody_knows_is_left_to_the_runtime_to_refuse():
    model = onnx.parser.parse_model(OPEN.replace(": 17", ": 999"))
    with pytest.raises(ModelNotSupportedError, match="onnxruntime"):
        validate(model)


def test_the_first_row_tells_of_its_progress():
    seen = []
    compare_runtimes(HEAD, ["softops"], progress=lambda done, total: seen.append((done, total)))
    count = len(HEAD.graph.node)
    assert seen[0][1] <= count  # nodes that are run as one are one
    assert seen[-1] == (2 * count, 2 * count)


def test_a_set_is_run_in_batches_of_the_same_size(monkeypatch):
    graph = ModelGraph(open_source(HEAD))
    assert batches.rows_at_a_time(graph) == 256
    monkeypatch.setattr(batches, "_BYTES", 16 * 100)
    assert 2 <= batches.rows_at_a_time(graph) <= 100
    fixed = ModelGraph(open_source(classifier_head(np.eye(4, dtype=np.float32), batch=3)))
    assert batches.rows_at_a_time(fixed) == 256  # the model fixes it


def test_a_model_that_softops_cannot_run_gets_eight_rows():
    unknown = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[N,3] x) => (float[N,3] p) { y = own.secret(x) p = Softmax(y) }""")
    assert batches.rows_at_a_time(ModelGraph(open_source(unknown))) == 8
