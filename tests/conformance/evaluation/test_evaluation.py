"""evaluate: labels, calibration and confusion over a whole set, against scikit-learn and the definitions."""

import json

import numpy as np
import onnx
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from softops.conformance import evaluate
from softops.conformance.evaluation.calibration import Calibration
from softops.export import classifier_head
from softops.opset.backend import prepare
from softops.opset.implementations.table import IMPLEMENTATIONS

RANDOM = np.random.default_rng(3)
WEIGHT = RANDOM.standard_normal((4, 6)).astype(np.float32)
X = RANDOM.standard_normal((500, 6)).astype(np.float32)
Y = (X @ WEIGHT.T + RANDOM.gumbel(size=(500, 4))).argmax(1)
NAMES = np.array(["ash", "birch", "elm", "oak"])


class Swapping:
    """Our backend, with the first two classes swapped where ``swapped`` says so of the features."""

    name, version = "swapping", "1"

    def __init__(self, swapped):
        self._swapped = swapped

    def run(self, model, feeds):
        prepared = prepare(model)
        outputs = dict(zip(prepared.output_names, prepared.run(dict(feeds)), strict=True))
        rows = self._swapped(feeds["features"])
        p, label = outputs["probabilities"], outputs["label"]
        p[rows] = p[rows][:, [1, 0, 2, 3]]
        outputs["label"] = np.where(rows & (label < 2), 1 - label, label)
        return list(outputs.values())


def brier(p, y):
    return np.mean([sum((p[i, c] - (c == y[i])) ** 2 for c in range(p.shape[1])) for i in range(len(y))])


def ece(p, y):
    confidence, right = p.max(1), p.argmax(1) == y
    total = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def test_the_scores_are_those_of_the_definitions():
    found = evaluate(classifier_head(WEIGHT), {"features": X, "y": Y}, batch=77)
    assert found.passed, found.wrong
    label, p = prepare(classifier_head(WEIGHT)).run({"features": X})
    for name in ("softops", "onnxruntime"):
        scores = found.scores[name]
        assert scores.rows == 500
        assert scores.accuracy == pytest.approx(accuracy_score(Y, label))
        assert scores.brier == pytest.approx(brier(p.astype(float), Y), rel=1e-6)
        assert scores.ece == pytest.approx(ece(p.astype(float), Y), rel=1e-5)
    (agreement,) = found.agreements
    assert (agreement.rows, agreement.changed, agreement.share) == (500, 0, 1)


@pytest.mark.parametrize("truth", [NAMES[Y], Y])
def test_labels_of_strings(truth):
    found = evaluate(classifier_head(WEIGHT, labels=list(NAMES)), {"features": X}, labels=truth, batch=200)
    plain = evaluate(classifier_head(WEIGHT), {"features": X}, labels=Y)
    words, numbers = found.scores["onnxruntime"], plain.scores["onnxruntime"]
    assert words.accuracy == numbers.accuracy
    assert (words.ece, words.brier) == pytest.approx((numbers.ece, numbers.brier))
    assert {left for left, _ in found.agreements[0].confusion} == set(NAMES)


def test_changed_labels_are_counted_shown_and_wrong():
    def swapped(x):
        return x[:, 0] > 1

    model = classifier_head(WEIGHT)
    found = evaluate(model, {"features": X, "labels": Y}, ["onnxruntime", Swapping(swapped)], batch=100)
    assert not found.passed
    ours = prepare(model).run({"features": X})[0]
    theirs = np.where(swapped(X) & (ours < 2), 1 - ours, ours)
    by_name = {(entry.left, entry.right): entry for entry in found.agreements}
    assert set(by_name) == {("onnxruntime", "softops"), ("swapping", "softops"), ("onnxruntime", "swapping")}
    entry = by_name["swapping", "softops"]
    assert entry.changed == (ours != theirs).sum()
    matrix = confusion_matrix(theirs, ours, labels=range(4))
    assert {pair: count for pair, count in entry.confusion.items() if count} == {
        (i, j): matrix[i, j] for i in range(4) for j in range(4) if matrix[i, j]
    }
    assert [change.row for change in entry.changes] == list(np.flatnonzero(ours != theirs)[:20])
    assert any("swapping: " in reason and "labels differ from ours" in reason for reason in found.wrong)
    assert not any(reason.startswith("onnxruntime") for reason in found.wrong)
    record = json.loads(found.to_json())
    assert record["agreements"][1]["changed"] == entry.changed


def test_a_label_against_its_own_scores_is_as_far_off_as_these_say():
    model = classifier_head(WEIGHT)
    label, p = prepare(model).run({"features": X})

    class Relabels(Swapping):
        def run(self, model, feeds):
            outputs = prepare(model).run(dict(feeds))
            return [np.where(outputs[0] == 2, 3, outputs[0]), *outputs[1:]]

    found = evaluate(model, {"features": X}, [Relabels(None)], batch=100)
    (entry,) = found.agreements
    rows = np.flatnonzero(label == 2)
    assert entry.changed == len(rows)
    assert [change.margin for change in entry.changes] == pytest.approx(
        (p[:, 2] - p[:, 3])[rows[:20]].tolist()
    )
    assert not found.passed


def test_a_runtime_that_does_not_run_the_model_is_left_out_too():
    found = evaluate(
        classifier_head(WEIGHT), {"features": X}, ["onnxruntime", Swapping(lambda _: 1 / 0)], batch=100
    )
    assert "division by zero" in found.not_run["swapping"]
    assert not found.passed
    assert set(found.scores) == {"softops", "onnxruntime"}


def test_rows_of_strings():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]> net (string[N] name) => (int64[N] label) {
            label = ai.onnx.ml.LabelEncoder<keys_strings = ["ash", "oak"], values_int64s = [0, 1]>(name)
        }
    """)
    found = evaluate(model, {"name": np.array(["oak", "ash", "oak"], object), "y": np.array([1, 0, 0])})
    assert found.passed
    assert found.scores["onnxruntime"].accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize("content", [b"", b"no array", b"object"])
def test_labels_in_a_file_of_another_kind_are_refused(content, tmp_path):
    path = tmp_path / "truth.npy"
    path.write_bytes(content)
    if content == b"object":
        np.save(path, np.array([{}] * 500, object))  # which would have to be unpickled
    with pytest.raises(ValueError, match="file of a plain array"):
        evaluate(classifier_head(WEIGHT), {"features": X}, labels=path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda outputs: 1 / 0, "not_run"),
        (lambda outputs: outputs[:1], "not_run"),
        (lambda outputs: [y.astype(np.float64) if y.dtype == np.float32 else y for y in outputs], "wrong"),
        (lambda outputs: [y[:-1] for y in outputs], "wrong"),
    ],
)
def test_a_runtime_that_fails_later_on_is_left_out_and_the_others_go_on(spoil, told):
    class Later(Swapping):
        def run(self, model, feeds):
            outputs = prepare(model).run(dict(feeds))
            return spoil(outputs) if np.array_equal(feeds["features"][0], X[300]) else outputs

    found = evaluate(
        classifier_head(WEIGHT), {"features": X, "y": Y}, ["onnxruntime", Later(None)], batch=100
    )
    assert "swapping" in " ".join(getattr(found, told))
    assert not found.passed
    assert set(found.scores) == {"softops", "onnxruntime"}
    assert found.scores["onnxruntime"].rows == 500
    assert [(entry.left, entry.right, entry.rows) for entry in found.agreements] == [
        ("onnxruntime", "softops", 500)
    ]


def test_a_change_far_from_the_first_batch_is_found():
    model = classifier_head(WEIGHT)
    last = np.flatnonzero(prepare(model).run({"features": X})[0] < 2)[-1]
    found = evaluate(model, {"features": X}, [Swapping(lambda x: np.all(x == X[last], 1))], batch=50)
    assert last >= 50
    (entry,) = found.agreements
    assert [change.row for change in entry.changes] == [last]
    assert not found.passed


def test_a_tie_that_falls_the_other_way_is_no_fault():
    # Two classes of equal weight: which is first is for rounding to decide.
    weight = WEIGHT.copy()
    weight[1] = weight[0] * (1 + 2e-7)
    x = X[(X @ weight.T).argmax(1) < 2][:40]

    class Other(Swapping):
        def run(self, model, feeds):
            if len(onnx.load_from_string(model).graph.output) > 2 or np.array_equal(
                feeds["features"][0], x[0]
            ):
                return prepare(model).run(dict(feeds))
            return super().run(model, feeds)

    found = evaluate(
        classifier_head(weight), {"features": x}, [Other(lambda rows: np.ones(len(rows), bool))], batch=20
    )
    (entry,) = found.agreements
    assert entry.changed == 20
    assert entry.clear == 0
    assert found.passed, found.wrong


def test_a_batch_size_that_the_model_fixes_is_kept():
    model = classifier_head(WEIGHT)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 64
    found = evaluate(model, {"features": X, "y": Y})
    free = evaluate(classifier_head(WEIGHT), {"features": X, "y": Y})
    assert found.passed, found.wrong
    assert found.agreements[0].rows == 500
    assert found.scores["onnxruntime"].accuracy == free.scores["onnxruntime"].accuracy
    assert found.scores["onnxruntime"].brier == pytest.approx(free.scores["onnxruntime"].brier)


@pytest.mark.parametrize("activation", ["log_softmax", "none"])
def test_logarithms_are_probabilities_and_logits_are_none(activation):
    found = evaluate(classifier_head(WEIGHT, activation=activation), {"features": X, "y": Y})
    plain = evaluate(classifier_head(WEIGHT), {"features": X, "y": Y})
    scores = found.scores["softops"]
    assert scores.accuracy == plain.scores["softops"].accuracy
    if activation == "none":
        assert scores.ece is scores.brier is None
    else:
        assert scores.brier == pytest.approx(plain.scores["softops"].brier, rel=1e-6)


def test_a_probability_rounded_above_1_is_in_the_last_bin():
    tally = Calibration()
    p = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0], [0.75, 0.25]], np.float64)
    tally.add(np.array([0, 0]), p, np.array([0, 0]), np.array([0, 0]))
    assert tally.scores().ece == pytest.approx(0.25 / 2, rel=1e-6)


def test_bins_have_the_accuracy_and_confidence_of_their_rows():
    tally = Calibration()
    confidence = np.array([0.55, 0.95, 0.99, 0.97])  # the ninth of fifteen bins, and three in the last
    tally.add(np.zeros(4, int), np.stack([confidence, 1 - confidence], 1), np.array([0, 0, 1, 0]), None)
    bins = tally.scores().bins
    assert bins[8] == pytest.approx((1, 1, 0.55))
    assert bins[14] == pytest.approx((3, 2 / 3, 0.97))
    assert all(one == (0, 0, 0) for place, one in enumerate(bins) if place not in (8, 14))


def test_nan_is_no_probability():
    tally = Calibration()
    p = np.array([[0.2, 0.8], [np.nan, np.nan], [1.0, 0.0]])
    tally.add(np.array([1, 0, 0]), p, np.array([1, 0, 1]), np.array([1, 0, 1]))
    scores = tally.scores()
    assert (scores.rows, scores.not_numbers) == (3, 1)
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.brier == pytest.approx((2 * 0.2**2 + 2) / 2)
    assert scores.ece == pytest.approx((0.2 + 1) / 2)
    assert Calibration().scores().accuracy is None


@pytest.mark.parametrize(
    ("dataset", "options", "said"),
    [
        ({"x": X}, {}, "none named features"),
        ({"features": X.astype(float)}, {}, "float64"),
        ({"features": X[:, :5]}, {}, "shape"),
        ({"features": X, "y": Y[:9]}, {}, "a label for each row"),
        ({"features": X, "y": Y[0]}, {}, "a label for each row"),
        ({"features": X, "y": Y[:, None][:, :0]}, {}, "a label for each row"),
        ({"features": X, "y": Y / 2}, {}, "integers or strings"),
        ({"features": X, "y": NAMES[Y]}, {}, "integers"),
        ({"features": X}, {"labels": "truth"}, "'truth'"),
        ({"features": X}, {"runtimes": []}, "none"),
        ({"features": X}, {"batch": 9, "max_ulp": -1}, "max_ulp"),
    ],
)
def test_what_does_not_fit_is_named(dataset, options, said):
    with pytest.raises((ValueError, TypeError), match=said):
        evaluate(classifier_head(WEIGHT), dataset, **options)


def test_a_model_without_answers_is_refused():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] features) => (float mean) { mean = ReduceMean<keepdims = 0>(features) }
    """)
    with pytest.raises(ValueError, match="an output of labels"):
        evaluate(model, {"features": X})


def test_labels_that_hang_on_what_is_not_verified_cannot_be_told(monkeypatch):
    # The sine is left to onnx's reference implementations.
    monkeypatch.delitem(IMPLEMENTATIONS, ("", "Sin"))
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,6] features) => (float[N,6] p, int64[N] label) {
            s = Sin(features) p = Softmax(s) label = ArgMax<axis = 1, keepdims = 0>(p)
        }
    """)

    class Other:
        name = "other"

        def run(self, given, feeds):
            changed = onnx.load_from_string(given)
            for node in changed.graph.node:
                node.op_type = "Cos" if node.op_type == "Sin" else node.op_type
            return prepare(changed).run(dict(feeds))

    found = evaluate(model, {"features": X}, [Other()])
    assert not found.passed
    assert found.wrong == []
    assert any("differs from onnx.reference at Sin" in reason for reason in found.unsettled)
    assert any("labels differ from ours" in reason for reason in found.unsettled)
