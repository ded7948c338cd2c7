"""What measures for the page on noise: right runtimes pass, a wrong one is an alarm, a fault is counted as found."""

import re
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from tools.noise.__main__ import app
from tools.noise.calibrate import calibrated
from tools.noise.entry import Entry
from tools.noise.inputs import image, made, normal, numbers, print_like, sound, text
from tools.noise.measure import within
from tools.noise.page import percent, table, with_section
from tools.noise.planted import planted
from tools.noise.tally import Tally, ratios


def network(path=None):
    random = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "v"], ["s"]),
            helper.make_node("Softmax", ["s"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 10])],
        [
            numpy_helper.from_array(random.standard_normal(shape).astype(np.float32) / 4, name)
            for name, shape in {"w": (16, 32), "b": (32,), "v": (32, 10)}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
    return model


def entry(torch=None):
    return Entry("small", network(), trained=False, inputs=partial(made, {"x": normal(8, 16)}), torch=torch)


SEEDS = range(1000, 1003)


def test_right_runtimes_are_no_alarm():
    row = calibrated(entry(), SEEDS, 8, lambda: None)
    assert not row.failed
    assert row.alarms == []
    assert row.comparisons == len(SEEDS) * len(row.runtimes)
    assert row.tally.count <= row.comparisons * 80
    assert 0.1 < row.tally.median < 1


def test_a_wrong_runtime_is_an_alarm_each_time():
    # Without its bias it is far from what rounding can do.
    def wrong(feeds):
        model = network()
        w, _, v = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
        s = np.maximum(feeds["x"] @ w, 0) @ v
        e = np.exp(s - s.max(-1, keepdims=True))
        return [e / e.sum(-1, keepdims=True)]

    row = calibrated(entry(wrong), SEEDS, 8, lambda: None)
    assert len(row.alarms) == len(SEEDS)
    assert all("torch" in text for text in row.alarms)
    assert row.accused["1e-5, 1e-4"] == len(SEEDS)


def test_planted_faults_are_found_and_right_runtimes_are_not():
    found = planted(entry(), SEEDS, 8, lambda: None)
    assert found.right.runs > 0
    assert found.right.accused["softops"] == 0
    trials = {}
    for trial in found.trials:
        trials.setdefault(trial.fault, []).append(trial)
    for fault in ("a sum in bfloat16", "outputs through float16", "one output element off by 3e-4"):
        assert len(trials[fault]) == len(SEEDS)
        for trial in trials[fault]:
            assert trial.reaches
            assert trial.found["softops"]
            # 3e-4 is three times the tolerance that optimum has for BERT.
            assert trial.found["1e-5, 1e-4"] or not fault.startswith("one")
    assert "GELU by tanh" not in trials


@pytest.mark.parametrize("command", ["calibrate", "faults"])
def test_a_command_writes_its_section_and_keeps_the_rest(tmp_path, command):
    network(tmp_path / "models/heads/small.onnx")
    docs = tmp_path / "noise.md"
    docs.write_text("# Noise\n\nBy hand.\n")
    arguments = [
        command,
        str(tmp_path / "models"),
        "--docs",
        str(docs),
        "--seeds",
        "2",
        "--only",
        "heads/small",
    ]
    for _ in range(2):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
    page = docs.read_text("utf-8")
    assert page.startswith("# Noise\n\nBy hand.\n")
    assert page.count("<!-- ") == 2
    assert f"python -m tools.noise {command} FOLDER --docs docs/noise.md" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| heads/small |")]
    assert re.search(r"\d", line)


def test_no_model_is_an_error(tmp_path):
    done = CliRunner().invoke(app, ["calibrate", str(tmp_path), "--only", "no such model"])
    assert done.exit_code != 0
    assert "no such model" in done.output


def test_a_section_keeps_its_place():
    page = with_section("# A\n\nbefore\n", "one", "c", "first")
    page = f"{page}\nafter\n"
    again = with_section(page, "one", "c", "second")
    assert again == page.replace("first", "second")
    with pytest.raises(ValueError, match="both marks"):
        with_section(page.replace("<!-- one: end -->", ""), "one", "c", "third")


def test_a_table_and_shares():
    assert table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | --: |\n| x\\|y | 1 |"
    assert percent(0, 0) == "-"
    assert percent(5, 5) == "100 %"
    assert percent(999_999, 1_000_000) == "99.9999 %"
    assert percent(9_999_999, 10_000_000) == "99.9999 %"
    assert percent(2, 3) == "66.66 %"


def test_a_tally_counts_as_numpy_does():
    found = np.abs(np.random.default_rng(0).standard_normal(10_001)) * 3
    tally = Tally()
    for part in np.array_split(found, 7):
        tally.add(part)
    assert (tally.count, tally.within_two, tally.within_six) == (
        10_001,
        (found <= 2).sum(),
        (found <= 6).sum(),
    )
    assert abs(tally.median - np.median(found)) <= 0.005
    assert tally.largest == found.max()
    other = Tally()
    other.update(tally)
    assert (other.count, other.median, other.largest_rms) == (tally.count, tally.median, tally.largest_rms)
    assert Tally().median == 0


def test_ratios_leave_out_what_says_nothing():
    sigma = np.array([0.5, 0.0, 0.0, 1.0, 1.0])
    exact = np.array([1.0, 2.0, 2.0, np.inf, 0.0])
    actual = np.array([2.0, 2.0, 3.0, np.inf, 0.0])
    found = ratios(actual, exact, sigma)
    assert len(found) == 3
    assert found[0] == 2
    assert found[1] > 1e30
    assert found[2] == 0


def test_tolerances_are_those_of_allclose():
    exact = np.array([1.0, 100.0])
    assert within(np.array([1.00001, 100.0009], np.float32), exact, 1e-5, 1e-5)
    assert not within(np.array([1.00003, 100.0], np.float32), exact, 1e-5, 1e-5)
    assert not within(np.zeros(3, np.float32), exact, 1, 1)
    assert not within(np.array([1, 2]), np.array([1, 3]), 1, 1)


@pytest.mark.parametrize(
    ("maker", "shape", "low", "high"),
    [
        (image(2, 3, 8, 10), (2, 3, 8, 10), -1, 1),
        (image(2, 8, 10, 3, low=0, high=255, channels_last=True), (2, 8, 10, 3), 0, 255),
        (print_like(2, 3, 48, 160), (2, 3, 48, 160), -1.1, 1.2),
        (sound(2, 400), (2, 400), -2, 2),
        (sound(2, 400, 1, axis=1), (2, 400, 1), -2, 2),
        (text(3, 50), (3, 50), 0, 256),
        (numbers(5, 9, 2, 4), (2, 4), 5, 8),
    ],
)
def test_inputs_are_of_their_form_and_of_their_seed(maker, shape, low, high):
    first, again, other = (made({"x": maker}, seed)["x"] for seed in (1, 1, 2))
    assert first.shape == shape
    assert low <= first.min() < first.max() <= high
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
