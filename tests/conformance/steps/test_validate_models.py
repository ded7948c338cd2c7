"""validate takes models of every build: functions, subgraphs, files beside them, maps, bfloat16, random nodes."""

from collections import Counter
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import onnx
import pytest
import scipy.special
from onnx import TensorProto, helper
from parsing import parsed

from softops.conformance import ModelNotRunError, validate
from softops.conformance.steps import source
from softops.export import classifier_head
from softops.opset import ModelError
from softops.opset.backend import prepare


class Doubling:
    """Our backend, with the output of one node of the model doubled wherever it is given out."""

    name, version = "doubling", "1"

    def __init__(self, tensor):
        self._tensor = tensor

    def run(self, model, feeds):
        prepared = prepare(model)
        outputs = zip(prepared.output_names, prepared.run(dict(feeds)), strict=True)
        return [2 * x if name == self._tensor else x for name, x in outputs]


ONE_NUMBER = "net (float x) => (float p) { y = Neg(x) p = Sigmoid(y) }"
ONE_FLAG = "net (bool x) => (float p) { y = Cast<to = 1>(x) p = Sigmoid(y) }"
ONE_ROW = """net (float[3] x) => (int64[M] label, float[M,K] p) { label, p = ai.onnx.ml.LinearClassifier<
    coefficients = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], intercepts = [0.5, 0.5], classlabels_ints = [4, 5],
    post_transform = "SOFTMAX">(x) }"""


@pytest.mark.parametrize("graph", [ONE_NUMBER, ONE_FLAG, ONE_ROW])
def test_inputs_without_an_axis_of_rows(graph):
    report = validate(parsed(f'<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]> {graph}'))
    assert report.passed, report.failures


CHAIN = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N,6] x) => (float[N,6] z)
    {
        gate = Sigmoid(x)
        y = Mul(x, gate)
        p = Softmax(y)
        q = LogSoftmax(p)
        z = Relu(q)
    }
"""


@pytest.mark.parametrize(
    ("tensor", "operator"), [("gate", "Sigmoid-13"), ("p", "Softmax-13"), ("q", "LogSoftmax-13")]
)
def test_the_first_node_of_the_family_to_depart_is_named(tensor, operator):
    report = validate(parsed(CHAIN), Doubling(tensor), batch=4)
    assert not report.passed
    assert (report.departure.tensor, report.departure.operator) == (tensor, operator)
    assert report.apart.first_node.tensor == tensor
    assert report.apart.first_node.starts
    assert [node.tensor for node in report.apart.nodes] == ["gate", "p", "q"]


def test_nothing_departs_where_nothing_is_wrong():
    report = validate(parsed(CHAIN), "softops", batch=4)
    assert report.passed
    assert report.departure is None
    assert report.apart.first_node is None


def test_integers_of_the_family_are_judged_like_any_other():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (int64[4,6] x) => (int64[4,1] y) { y = ReduceLogSumExp<axes = [1]>(x) }
    """)
    (step,) = validate(model, "softops").steps
    assert (step.verdict, step.operator, step.max_error_ulp) == ("right", "ReduceLogSumExp-13", None)
    (step,) = validate(model, Doubling("y")).steps
    assert (step.verdict, step.wrong) == ("wrong", 4)


def test_runs_are_repeated_for_their_time_until_they_have_taken_half_a_second(monkeypatch):
    now, runs = [0.0], Counter()
    monkeypatch.setattr("softops.conformance.steps.runs.time", SimpleNamespace(perf_counter=lambda: now[0]))

    class Slow:
        name, version = "slow", "1"

        def __init__(self, seconds):
            self._seconds = seconds

        def run(self, model, feeds):
            runs[self._seconds] += 1
            now[0] += self._seconds
            return prepare(model).run(dict(feeds))

    for seconds in (0.6, 0.2, 0.01):
        report = validate(parsed(CHAIN), Slow(seconds), batch=4)
        assert report.seconds["slow"] == pytest.approx(seconds)
    assert runs[0.2] - runs[0.6] == 3
    assert runs[0.01] - runs[0.6] == 5  # and no more than that


def test_a_node_inside_a_function_is_judged():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[N,6] x) => (float[N,6] y) { y = own.head(x) }
        <domain: "own", opset_import: ["" : 17]>
        head (a) => (b) { c = Softmax<axis = 1>(a) b = Log(c) }
    """)
    report = validate(model, batch=4)
    assert report.passed, report.failures
    assert "Softmax-13" in [step.operator for step in report.steps]


def test_nodes_in_subgraphs_are_judged_by_the_outputs_and_said_so():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (bool flag, float[N,6] x) => (float[N,6] y) {
            y = If <then_branch = then () => (float[N,6] a) { a = Softmax(x) },
                    else_branch = otherwise () => (float[N,6] b) { b = Hardmax(x) }> (flag)
        }
    """)
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    for flag in (True, False):
        report = validate(model, inputs={"flag": np.array(flag), "x": x})
        assert report.passed, report.failures
        (note,) = report.notes
        assert "judged by the outputs alone: Softmax in If" in note
        assert "Hardmax in If" in note
    assert not validate(model, Doubling("y"), inputs={"flag": np.array(True), "x": x}).passed


@pytest.mark.parametrize("error", [0, 1e-3])
def test_the_largest_error_is_told_as_a_difference_too(error):
    class Off:
        name, version = "off", "1"

        def run(self, model, feeds):
            return [y + np.float32(error) for y in prepare(model).run(dict(feeds))]

    model = parsed(
        '<ir_version: 8, opset_import: ["" : 17]> net (float[4,6] x) => (float[4,6] y) { y = Softmax(x) }'
    )
    x = np.random.default_rng(2).standard_normal((4, 6)).astype(np.float32)
    (step,) = validate(model, Off(), inputs=x).steps
    (y,) = Off().run(model, {"x": x})
    assert step.max_error == pytest.approx(
        np.abs(y - scipy.special.softmax(x.astype(np.float64), 1)).max(), rel=1e-6
    )
    assert step.max_error > 0


def test_other_nodes_of_the_table_are_judged_by_their_exact_values():
    model = parsed(
        """
        <ir_version: 10, opset_import: ["" : 23, "ai.onnx.ml" : 1]>
        net (float[2,3,4,8] q, float[2,3,5,8] k, float[2,3,5,8] v, float[N,6] x, int64[N] t)
            => (float[2,3,4,8] attended, float[N,1] total, float loss, float[N,6] soft, float[N,6] unit) {
            attended = Attention(q, k, v)
            total = ReduceLogSumExp<axes = [1]>(x)
            loss = SoftmaxCrossEntropyLoss(x, t)
            soft = Softplus(x)
            unit = ai.onnx.ml.Normalizer<norm = "L2">(x)
        }
    """.replace("ReduceLogSumExp<axes = [1]>(x)", "ReduceLogSumExp(x, axis)"),
        axis=np.array([1]),
    )
    report = validate(model)
    assert report.passed, report.failures
    assert {step.tensor: step.rule for step in report.steps} == dict.fromkeys(
        ("attended", "total", "loss", "soft", "unit"), "exact value"
    )
    for name in ("attended", "total", "loss", "soft", "unit"):
        assert validate(model, Doubling(name)).departure.tensor == name


def test_what_is_drawn_at_random_is_not_compared():
    model = parsed("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] x) => (int32[N,3] drawn, float[N,6] p) {
            drawn = Multinomial<sample_size = 3>(x)
            p = Softmax(x)
        }
    """)
    report = validate(model)
    assert report.passed, report.failures
    assert list(report.outputs) == ["p"]
    assert any("drawn is drawn at random" in note for note in report.notes)


def test_maps_are_taken_out():
    model = classifier_head(np.eye(3, dtype=np.float32), labels=["a", "b", "c"], zipmap=True)
    before = model.SerializeToString()
    report = validate(model)
    assert report.passed, report.failures
    assert any("ZipMap" in note for note in report.notes)
    assert report.outputs["probabilities"].dtype == "float32"
    assert model.SerializeToString() == before


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx.reference", "softops"])
def test_bfloat16_goes_in_and_comes_out(runtime):
    weight = np.random.default_rng(0).standard_normal((4, 6)).astype(ml_dtypes.bfloat16)
    report = validate(classifier_head(weight, outputs=["label", "probabilities", "logits"]), runtime)
    assert report.passed, report.failures
    assert report.outputs["probabilities"].dtype == "bfloat16"


@pytest.fixture
def beside(tmp_path):
    """A head with its weights in a file."""
    random = np.random.default_rng(0)
    model = classifier_head(random.standard_normal((40, 30)).astype(np.float32))
    onnx.save(
        model, tmp_path / "head.onnx", save_as_external_data=True, location="head.bin", size_threshold=0
    )
    return tmp_path / "head.onnx"


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx.reference", "softops", Doubling(None)])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_in_files_are_read_or_left_there(beside, monkeypatch, runtime, whole):
    if not whole:
        monkeypatch.setattr(source, "WHOLE_BYTES_MAX", 100)
        monkeypatch.setattr(source, "_SMALL_BYTES", 200)
    assert (source.open_source(beside).folder is None) is whole
    report = validate(beside, runtime)
    assert report.passed, report.failures
    assert {step.tensor: step.rule for step in report.steps}["logits"] == "noise"


def test_a_missing_file_of_weights_is_named(beside):
    (beside.parent / "head.bin").unlink()
    with pytest.raises(ModelError, match=r"head\.bin \(no such file\)"):
        validate(beside)


def test_files_that_are_cut_short_are_an_error(beside, monkeypatch):
    monkeypatch.setattr(source, "WHOLE_BYTES_MAX", 100)
    (beside.parent / "head.bin").write_bytes(bytes(200))
    with pytest.raises((ModelError, ModelNotRunError)):
        validate(beside)


@pytest.mark.slow
def test_a_model_of_more_than_2_gib(tmp_path):
    # 5 GiB of memory, and 2.1 of disk.
    value = helper.make_tensor_value_info
    weight = np.zeros((1100, 500_000), np.float32)
    weight[:, ::1000] = np.random.default_rng(0).standard_normal((1100, 500))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["p"])],
        "large",
        [value("x", TensorProto.FLOAT, ["N", 1100])],
        [value("p", TensorProto.FLOAT, ["N", 500_000])],
    )
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=weight.shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    graph.initializer.append(tensor)
    weight.tofile(tmp_path / "w.bin")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "large.onnx").write_bytes(model.SerializeToString())
    report = validate(tmp_path / "large.onnx", batch=2)
    assert report.passed, report.failures
    with pytest.raises(ModelNotRunError, match="under 2 GiB"):  # of one that takes bytes alone
        validate(tmp_path / "large.onnx", Doubling("p"), batch=2)
