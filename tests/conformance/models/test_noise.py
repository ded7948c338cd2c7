"""The noise of whole models."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from parsing import parsed

from softops.conformance import compare_outputs, noise

RANDOM = np.random.default_rng(5)


def weights(**arrays):
    return [numpy_helper.from_array(np.asarray(x), name) for name, x in arrays.items()]


def model_of(text, **arrays):
    return parsed(
        f'<ir_version: 9, opset_import: ["": 18]> {text}',
        **{name: np.asarray(x) for name, x in arrays.items()},
    )


@pytest.fixture(scope="module")
def classifier():
    return model_of(
        """g (float[N, 64] x) => (float[N, 10] y, int64[N] label) {
            h = Gemm(x, w, b)
            r = Relu(h)
            s = MatMul(r, v)
            y = Softmax(s)
            label = ArgMax<axis = 1, keepdims = 0>(y)
        }""",
        w=RANDOM.normal(size=(64, 128)).astype(np.float32) / 8,
        b=RANDOM.normal(size=128).astype(np.float32),
        v=RANDOM.normal(size=(128, 10)).astype(np.float32) / 11,
    )


@pytest.fixture(scope="module")
def x():
    return RANDOM.normal(size=(32, 64)).astype(np.float32)


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))


def test_a_right_runtime_is_explained(classifier, x):
    report = noise(classifier, x)
    for name, array in run(classifier, {"x": x}).items():
        assert report.outputs[name].judge(array).explained


def test_a_weight_that_is_off_is_not(classifier, x):
    changed = type(classifier)()
    changed.CopyFrom(classifier)
    w = numpy_helper.to_array(changed.graph.initializer[0]).copy()
    w[7] *= 1.02
    changed.graph.initializer[0].CopyFrom(numpy_helper.from_array(w, "w"))
    assert noise(classifier, x).outputs["y"].judge(run(changed, {"x": x})["y"]).verdict == "not explained"


def test_its_advice_holds_for_the_runtime(classifier, x):
    found = noise(classifier, x).outputs["y"]
    np.testing.assert_allclose(run(classifier, {"x": x})["y"], found.exact, rtol=found.rtol, atol=found.atol)


def test_same_seed_same_report(classifier, x):
    first, second = noise(classifier, x, seed=4), noise(classifier, x, seed=4)
    assert np.array_equal(first.outputs["y"].sigma, second.outputs["y"].sigma)
    assert not np.array_equal(first.outputs["y"].sigma, noise(classifier, x, seed=5).outputs["y"].sigma)


@pytest.mark.parametrize(("dtype", "unit"), [("float16", 2.0**-11), ("bfloat16", 2.0**-8)])
def test_in_another_precision_it_is_as_much_larger(classifier, x, dtype, unit):
    plain, other = (noise(classifier, x, dtype=name).outputs["y"] for name in ("float32", dtype))
    assert other.dtype == dtype
    times = np.sqrt(np.mean(other.sigma**2) / np.mean(plain.sigma**2))
    assert 0.1 * unit / 2.0**-24 < times < 2 * unit / 2.0**-24


def test_where_digits_are_lost():
    model = model_of(
        """g (float[N] x) => (float[N] y) {
            a = Exp(x)
            b = Sub(a, one)
            y = Mul(b, b)
        }""",
        one=np.float32(1),
    )
    x = np.full(100, 1e-4, np.float32) * np.arange(1, 101, dtype=np.float32)
    lost = noise(model, x).lost_at
    assert lost.tensor == "b"
    assert lost.lost > 1.5


def test_kept_tensors(classifier, x):
    assert set(noise(classifier, x, keep=["h"]).kept) == {"h"}
    assert set(noise(classifier, x, keep=True).kept) == {"h", "r", "s"}


def test_control_flow_follows_the_exact_run():
    then, other = (
        helper.make_graph(
            [helper.make_node(op, ["x"], [f"out_{op}"])],
            op,
            [],
            [helper.make_tensor_value_info(f"out_{op}", TensorProto.FLOAT, None)],
        )
        for op in ("Exp", "Neg")
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=then, else_branch=other),
    ]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])]
    graph = helper.make_graph(nodes, "g", given, made, weights(zero=np.float32(0)))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    x = np.linspace(0, 1, 9, dtype=np.float32)
    np.testing.assert_array_equal(noise(model, x).outputs["y"].exact, np.exp(x.astype(np.float64)))
    assert noise(model, -x).outputs["y"].judge(x).verdict == "equal"
    tie = np.array([1, 2, -3, 0.1, -0.1], np.float32)
    assert noise(model, tie).outputs["y"].hangs_on


def test_rounding_a_quantised_value_is_a_decision():
    model = model_of(
        """g (float[N] x) => (float[N] y) {
            e = Exp(x)
            q = QuantizeLinear(e, scale, zero)
            y = DequantizeLinear(q, scale, zero)
        }""",
        scale=np.float32(0.01),
        zero=np.uint8(0),
    )
    x = np.log(np.array([0.301, 0.305, 0.502])).astype(np.float32)
    found = noise(model, x).outputs["y"]
    assert found.hangs_on
    assert found.judge(np.array([0.3, 0.31, 0.5], np.float32)).verdict in (
        "equal",
        "not decidable",
        "explained by rounding",
    )
    assert not noise(model, np.log(np.array([0.301, 0.304])).astype(np.float32)).outputs["y"].hangs_on


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float8"}, "expected a dtype"),
        ({"samples": 1}, "expected 2 samples or more"),
        ({"samples": 2.5}, "expected 2 samples or more"),
    ],
)
def test_bad_options(classifier, x, options, words):
    with pytest.raises(ValueError, match=words):
        noise(classifier, x, **options)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_digits_are_lost_by_cancelling_not_by_a_dtype_of_few(dtype):
    """1 + x - 1 for small x: the difference loses digits, the sums before it none, however few their dtype has."""
    model = model_of(
        "g (float[40] x) => (float[40] y) { small = Mul(x, less) near = Add(small, one) y = Sub(near, one) }",
        less=np.float32(0.01),
        one=np.float32(1),
    )
    report = noise(model, RANDOM.normal(size=40).astype(np.float32), dtype=dtype)
    assert report.lost_at.tensor == "y"
    assert report.lost_at.lost == pytest.approx(2, abs=0.7)  # as the values are a hundredth of those before
    assert [node.lost < 0.5 for node in report.nodes] == [True, True, False]


@pytest.mark.parametrize(("rows", "samples"), [(8, 8), (2, 8), (1, 16)])
def test_more_samples_are_drawn_only_where_outputs_have_few_numbers(rows, samples):
    """Below five numbers; an open axis counts as it is, not as one."""
    model = model_of("g (float[N, 3] x) => (float[N, 3] y) { y = Exp(x) }")
    assert noise(model, np.ones((rows, 3), np.float32)).samples == samples
    assert (
        compare_outputs(model, np.ones((rows, 3), np.float32), np.full((rows, 3), np.e, np.float32)).samples
        == samples
    )


def test_progress_is_told_while_a_batch_is_chosen(classifier):
    """Of the row that is run for it, of that run again, and of the run with noise, each to its end."""
    told = []
    found = noise(classifier, watch=lambda done, total, _: told.append((done, total)))
    ends = [place for place, (done, total) in enumerate(told) if done == total]
    assert len(ends) >= 2
    assert told[-1][0] == told[-1][1]
    assert found.outputs["y"].shape[0] > 1  # rows that were chosen by a first one
    told.clear()
    noise(classifier, batch=2, watch=lambda done, total, _: told.append((done, total)))
    assert len([1 for done, total in told if done == total]) < len(ends)
