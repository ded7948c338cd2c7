"""What cannot be appended is named, with nothing written."""

import numpy as np
import pytest

from softops.export import append_head

GRAPH = (
    "g (float[N,4] x) => (float[N,4] scores, int64[N] winner, float total, float[N,M] wide) "
    "{ scores = Neg(x) winner = ArgMax<axis = 1, keepdims = 0>(x) total = ReduceSum<keepdims = 0>(x) "
    "s = Shape(x) t = Max(s, s) wide = Reshape(x, t) }"
)
CASES = {
    "no output named": (
        ValueError,
        r"among scores, winner, total, wide \(none was named\)",
        {"output": None},
    ),
    "another output": (ValueError, r"among scores, .* \(got 'logits'\)", {"output": "logits"}),
    "an input": (ValueError, "got 'x'", {"output": "x"}),
    "integers": (TypeError, "got int64 for 'winner'", {"output": "winner"}),
    "a scalar": (ValueError, "an output with axes", {"output": "total"}),
    "activation": (ValueError, "softmax, .*, none .got 'relu'", {"activation": "relu"}),
    "nothing": (ValueError, "something to append", {"activation": "none"}),
    "axis": (ValueError, r"axis in \[-2, 1\] \(got axis 2 of 'scores'\)", {"axis": 2}),
    "axis of text": (TypeError, "axis as an integer", {"axis": "1"}),
    "few labels": (ValueError, "4 labels.*got 3", {"labels": ["a", "b", "c"]}),
    "a set of labels": (TypeError, "got set", {"labels": {"a", "b", "c", "d"}, "output": "wide"}),
    "same labels": (ValueError, "'a' more than once", {"labels": ["a", "b", "a", "c"]}),
    "one string": (TypeError, "the string 'abcd'", {"labels": "abcd"}),
    "mixed labels": (TypeError, "int, str", {"labels": ["a", 1, 2, 3]}),
    "one string of labels, dynamic": (TypeError, "the string", {"labels": "abcd", "output": "wide"}),
    "no temperature": (ValueError, "temperature above 0", {"temperature": 0}),
    "negative temperature": (ValueError, "temperature above 0", {"temperature": -1.0}),
    "NaN": (ValueError, "nan", {"temperature": float("nan")}),
    "temperatures": (TypeError, "temperature as a number", {"temperature": [1.0, 2.0, 1.0, 1.0]}),
    "k of 0": (ValueError, "top_k from 1 to 4.*got 0", {"top_k": 0}),
    "k of 5": (ValueError, "top_k from 1 to 4.*got 5", {"top_k": 5}),
    "k above the labels": (
        ValueError,
        "top_k from 1 to 2",
        {"output": "wide", "labels": ["a", "b"], "top_k": 3},
    ),
    "half a k": (TypeError, "got 1.5", {"top_k": 1.5}),
    "name that is taken": (ValueError, "free in the model .got 'x'", {"names": {"probabilities": "x"}}),
    "empty name": (ValueError, "free in the model .got ''", {"names": {"probabilities": ""}}),
    "same name": (ValueError, "got 'a'", {"top_k": 1, "names": {"probabilities": "a", "top_k_values": "a"}}),
    "unknown name": (ValueError, "got one for 'label'", {"names": {"label": "a"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_is_named_and_leaves_no_file(parsed, tmp_path, case):
    error, message, options = CASES[case]
    with pytest.raises(error, match=message) as raised:
        append_head(parsed(17, GRAPH), **{"output": "scores", **options}, path=tmp_path / "a.onnx")
    assert str(raised.value).startswith("expected ")
    assert "; " in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_sequences_are_refused(parsed):
    model = parsed(17, "g (float[N,4] x) => (seq(float[N,4]) s) { s = SequenceConstruct(x) }")
    with pytest.raises(TypeError, match="got sequence_type for 's'"):
        append_head(model)


def test_a_dynamic_axis_takes_any_number_of_labels(parsed, run_onnxruntime):
    x = np.array([[1, 2, 0, 0]], np.float32)
    after = run_onnxruntime(append_head(parsed(17, GRAPH), "wide", labels=list("abcd")), {"x": x})
    assert after["label"].tolist() == ["b"]


def test_the_number_of_classes_is_known_where_shapes_say_so(parsed):
    model = parsed(17, "g (float[N,4] x) => (float[N,M] y) { y = Neg(x) }")
    with pytest.raises(ValueError, match=r"4 labels.*got 3"):
        append_head(model, labels=["a", "b", "c"])
    dims = append_head(model, labels=list("abcd")).graph.output[-1].type.tensor_type.shape.dim
    assert dims[1].dim_value == 4


ACTIVE = "g (float[N,4] x) => (float[N,4] y) {{ z = Neg(x) {text} }}"
PROBABILITIES = [
    "y = Softmax(z)",
    "y = Sigmoid(z)",
    "p = Softmax(z) y = Identity(p)",
    "w = Cast<to = 11>(z) p = Softmax(w) y = Cast<to = 1>(p)",
]


@pytest.mark.parametrize("text", PROBABILITIES)
@pytest.mark.parametrize("activation", ["softmax", "log_softmax", "sigmoid"])
def test_a_softmax_of_probabilities_is_refused(parsed, tmp_path, text, activation):
    model = parsed(17, ACTIVE.format(text=text))
    with pytest.raises(ValueError, match=r"expected logits .*'y', which is a S.* already.*activation='none'"):
        append_head(model, activation=activation, path=tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
    for other in ("argmax", "hardmax", "none"):
        append_head(model, activation=other, top_k=1)


def test_logarithms_are_logits(parsed, run_onnxruntime):
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    for text in ("y = LogSoftmax(z)", "p = Softmax(z) y = Log(p)"):
        after = run_onnxruntime(append_head(parsed(17, ACTIVE.format(text=text))), {"x": x})
        np.testing.assert_allclose(after["probabilities"], np.exp(after["y"]), rtol=1e-6)


ONE = "g (float[N,7,1,1] x) => (float[N,7,1,1] scores) { scores = Neg(x) }"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "argmax"},
        {"activation": "log_softmax", "axis": 2},
        {"activation": "none", "labels": ["a"]},
    ],
)
def test_one_class_alone_along_the_axis(parsed, options):
    """A softmax over it would be 1 everywhere, and the label always the first: the axis of the classes is named."""
    with pytest.raises(ValueError, match=r"shape is \[N, 7, 1, 1\].*pass axis=1, .* has 7 classes"):
        append_head(parsed(17, ONE), **options)


@pytest.mark.parametrize("shape", ["1,1", "N,1", "N,1,1"])
def test_one_class_alone_along_every_axis(parsed, shape):
    """The batch is no axis of classes."""
    model = parsed(17, f"g (float[{shape}] x) => (float[{shape}] scores) {{ scores = Neg(x) }}")
    with pytest.raises(
        ValueError, match=r"more than one class.*no axis but the batch has several.*'sigmoid'"
    ):
        append_head(model)


def test_the_axis_that_the_labels_fit_is_named(parsed):
    model = parsed(17, "g (float[N,7,9,1] x) => (float[N,7,9,1] scores) { scores = Neg(x) }")
    with pytest.raises(ValueError, match=r"pass axis=1, .* has 7 classes"):
        append_head(model, labels=list("abcdefg"))
    with pytest.raises(ValueError, match=r"pass axis=2, .* has 9 classes"):
        append_head(model)


def test_a_sigmoid_of_one_score_is_one_probability(parsed):
    assert [n.op_type for n in append_head(parsed(17, ONE), activation="sigmoid").graph.node] == [
        "Neg",
        "Sigmoid",
    ]
