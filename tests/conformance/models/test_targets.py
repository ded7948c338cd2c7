"""Inputs aimed at the logits: they arrive, or the model is cut and it is said."""

import numpy as np
import onnx
import pytest
from parsing import parsed

from softops.conformance import compare_runtimes
from softops.conformance.cases.families import FAMILIES
from softops.conformance.models.inputs import made_up
from softops.conformance.models.targets import targeted, targets
from softops.conformance.steps.graph import ModelGraph
from softops.conformance.steps.source import Source
from softops.export import classifier_head
from softops.opset.backend import prepare

WIDE = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)


def aim(model, family, place=0, **options):
    graph = ModelGraph(Source(model))
    return targeted(graph, targets(graph)[place], family, made_up(model, batch=40), **options)


def logits_of(made, name):
    model = onnx.ModelProto()
    model.CopyFrom(made.graph.source.model)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    prepared = prepare(model, check=False)
    return prepared.run(made.feeds)[-1]


def test_features_are_found_that_give_the_logits_wanted():
    made = aim(classifier_head(WIDE, np.arange(5)), "gaussian-30")
    assert (
        made.way
        == "logits, the input of Softmax-13, is reached from the input features through Gemm by least squares"
    )
    logits = logits_of(made, "logits").astype(float)
    assert logits.std() == pytest.approx(30, rel=0.2)
    assert abs(logits.mean()) < 6


CHAIN = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N,2,3] x) => (float[N,6] p) <float two = {2}, float[6] shift = {1, 2, 3, 4, 5, 6}>
    {
        turned = Transpose<perm = [0, 2, 1]>(x)
        flat = Flatten(turned)
        twice = Mul(flat, two)
        down = Sub(shift, twice)
        half = Div(down, two)
        p = Softmax(half)
    }
"""


def test_what_can_be_undone_is_undone():
    made = aim(parsed(CHAIN), "gaussian-3")
    assert "through Transpose, Flatten, Mul, Sub, Div" in made.way
    assert made.feeds["x"].shape == (40, 2, 3)
    assert logits_of(made, "half").std() == pytest.approx(3, rel=0.2)


def test_a_model_that_takes_logits_gets_them():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]> net (float[N,6] x) => (float[N,6] p) { p = Softmax(x) }
    """)
    made = aim(model, "minus-inf-all")
    assert made.way.endswith("is an input of the model")
    assert np.isneginf(made.feeds["x"]).all()
    assert made.graph.source.model is model


@pytest.mark.parametrize("family", ["ties", "minus-inf-one", "nan-last", "gaps"])
def test_what_a_product_would_blur_is_cut_in(family):
    model = classifier_head(WIDE, outputs=["label", "probabilities", "logits"])
    made = aim(model, family)
    assert "cut at logits" in made.way
    assert [value.name for value in made.graph.source.model.graph.input] == ["logits"]
    assert [value.name for value in made.graph.source.model.graph.output] == ["label", "probabilities"]
    assert made.graph.source.model.graph.initializer == []
    onnx.checker.check_model(made.graph.source.model)
    assert aim(model, family, cut=False) is None


@pytest.mark.parametrize(
    ("factors", "way"), [([0.1, 0.3, 0.7, 1.1, 1.3, 1.7], "cut at"), ([1, 2, 4, 8, 0.5, -1], "through Mul")]
)
def test_what_was_to_be_equal_has_to_arrive_equal(factors, way):
    model = parsed(
        """<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] x) => (float[N,6] p) { y = Mul(x, factors) p = Softmax(y) }""",
        factors=np.array(factors, np.float32),
    )
    assert way in aim(model, "equal").way


@pytest.mark.parametrize("before", ["hidden = Relu(x)", "hidden = Tanh(x)"])
def test_what_cannot_be_undone_is_cut(before):
    model = parsed(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] x) => (float[N,6] p) {{ {before} p = Softmax(hidden) }}
    """)
    assert "cut at hidden" in aim(model, "gaussian-3").way


def test_fewer_features_than_classes_do_not_reach_all_logits():
    assert "cut at" in aim(classifier_head(WIDE.T), "gaussian-3").way


def test_shapes_that_only_broadcast_forwards_are_cut():
    # The sum has an axis more than the permutation.
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[2,3] x) => (float[1,3,2] p) <float[1,1,1] shift = {0.5}> {
            turned = Transpose<perm = [1, 0]>(x)
            down = Add(turned, shift)
            p = Softmax(down)
        }
    """)
    made = aim(model, "gaussian-3")
    assert "cut at down" in made.way
    assert made.feeds["down"].shape == (1, 3, 2)


def test_each_head_is_a_target_and_attention_before_it_is_none():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] x) => (float[N,6] p, float[N,6] q, int64[N,1] best) {
            inner = Softmax(x)
            y = Relu(inner)
            p = Softmax(y)
            q = LogSoftmax(y)
            z = Sigmoid(inner)
            best = ArgMax<axis = 1>(z)
        }
    """)
    graph = ModelGraph(Source(model))
    assert [target.source for target in targets(graph)] == ["y", "inner"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rows_lie_along_the_axis_of_the_node(axis):
    model = parsed(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[4,5,6] x) => (float[4,5,6] p) {{ p = Softmax<axis = {axis}>(x) }}
    """)
    x = aim(model, "sorted").feeds["x"]
    assert (np.diff(x, axis=axis) >= 0).all()


def test_onnxruntime_is_right_on_every_family():
    found = compare_runtimes(classifier_head(WIDE), families=list(FAMILIES), batch=20)
    assert found.passed, [(report.family, report.failures[:1]) for report in found.wrong]
    assert [report.family for report in found.reports] == list(FAMILIES)


def test_a_model_without_a_node_to_aim_at_is_refused():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]> net (float[N,6] x) => (float[N,6] y) { y = Relu(x) }
    """)
    with pytest.raises(ValueError, match="node of the softmax family"):
        compare_runtimes(model, families=["ties"])
    assert compare_runtimes(model).passed


def test_an_old_model_with_a_weight_that_nobody_reads_is_cut():
    # Before IR version 4 every initializer is an input as well.
    model = onnx.parser.parse_model("""
        <ir_version: 3, opset_import: ["" : 9]>
        net (float[1,4] x, float[4] w, float[2] unread) => (float[1,4] p) {
            a = Tanh(x) b = Mul(a, w) p = Softmax(b)
        }
    """)
    for name, length in (("w", 4), ("unread", 2)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(length, np.float32), name))
    found = compare_runtimes(model, ["onnxruntime"], families=["ties"])
    assert found.passed, (found.not_run, [report.failures for report in found.reports])
    assert "cut at" in found.reports[0].notes[0]


def test_behind_a_node_that_nobody_computes_the_model_is_cut():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        net (float[N,4] x) => (float[N,4] p) <float[N,4] b> {
            a = com.microsoft.QuickGelu(x) b = Tanh(a) p = Softmax(b)
        }
    """)
    found = compare_runtimes(model, ["onnxruntime"], families=["ties"], batch=6)
    assert found.passed, (found.not_run, [report.failures for report in found.reports])
    assert found.reports[0].inputs == {"b": ("float32", (6, 4))}
