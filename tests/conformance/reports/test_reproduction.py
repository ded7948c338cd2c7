"""The reproduction folders: a script that shows the failure without softops, and a text to file."""

import ast
import importlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from findings import WORST

from softops import conformance
from softops.conformance.cases.build import material
from softops.conformance.cases.case import Case
from softops.conformance.reports.reproduction import FILES
from softops.conformance.reports.scripts import script_of
from softops.conformance.reports.summary import kinds
from softops.conformance.suite.report import SuiteReport
from softops.conformance.verdicts.record import CaseRecord, Check, Worst


def report(runtime, *cases, outcome="wrong", **more):
    check = Check(name="ulp", passed=False, message="off")
    records = [
        CaseRecord(
            case=case, outcome=outcome, verdict="ulp", checks=(check,), elements=1, message="off", **more
        )
        for case in cases
    ]
    fields = {
        "runtime_version": "1",
        "softops_version": "0",
        "platform": "an abacus",
        "cases": tuple(records),
    }
    return SuiteReport(runtime=runtime, **fields)


def case(**more):
    fields = {
        "op": "Softmax",
        "opset": 13,
        "dtype": "float32",
        "axis": 1,
        "shape": (2, 3),
        "family": "gaussian-3",
    }
    return Case(**fields | more)


def run(script):
    done = subprocess.run(
        [sys.executable, "-I", str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


RUNTIMES = [
    "onnxruntime",
    "onnx.reference",
    pytest.param("openvino", marks=pytest.mark.filterwarnings("ignore::DeprecationWarning")),
]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_script_needs_the_runtime_alone(runtime, tmp_path):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="openvino is not installed")
    report(runtime, case(), worst=WORST).write(tmp_path)
    folder = tmp_path / "reproductions" / "softmax-float32-wrong-ulp"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    script = (folder / "reproduce.py").read_text("utf-8")
    assert "softops" not in script
    statements = [
        node for node in ast.parse(script).body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert len(statements) <= 10
    expected = np.load(folder / "expected.npz")["output"][0, 1]
    said = run(folder / "reproduce.py")
    assert said.startswith(runtime)
    # These three get so plain a row right to some ULP.
    words = said.split()
    assert float(words[words.index("expected") + 1]) == pytest.approx(float(expected), rel=1e-6)
    assert float(words[words.index("got") + 1]) == pytest.approx(float(expected), rel=1e-6)


def test_the_files_are_those_of_the_case(tmp_path):
    report("onnxruntime", case(), worst=WORST).write(tmp_path)
    folder = tmp_path / "reproductions" / "softmax-float32-wrong-ulp"
    made = material(case())
    assert (folder / "model.onnx").read_bytes() == made.model
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
    for name, arrays in (("inputs.npz", made.feeds), ("expected.npz", made.expected)):
        with np.load(folder / name) as stored:
            assert sorted(stored) == sorted(arrays)
            for key, array in arrays.items():
                np.testing.assert_array_equal(stored[key], array)
    text = (folder / "ISSUE.md").read_text("utf-8")
    for part in (
        "Softmax-13 in float32: wrong in onnxruntime 1",
        "0x1.555556p-2",
        "an abacus",
        "#Softmax-13",
    ):
        assert part in text
    for title, arrays in (("Inputs", made.feeds), ("Expected", made.expected)):
        ((name, array),) = arrays.items()
        assert f"{title}:\n\n- `{name}`: float32 [2, 3]: `{array.tolist()}`\n" in text
    assert "import onnxruntime" in text
    assert "Softmax <axis: int = 1> (input)" in text or "Softmax <axis = 1> (input)" in text


def test_bfloat16_goes_into_a_file_and_out_again(tmp_path):
    odd = case(op="ReduceLogSumExp", opset=18, dtype="bfloat16")
    worst = Worst(output="reduced", index=(0, 0), dtype="bfloat16", exact="1", expected=1.0, actual=1.0)
    for runtime in ("onnxruntime", "onnx.reference"):
        report(runtime, odd, worst=worst).write(tmp_path / runtime)
        said = run(
            tmp_path / runtime / "reproductions" / "reducelogsumexp-bfloat16-wrong-ulp" / "reproduce.py"
        )
        words = said.split()
        assert abs(float(words[words.index("expected") + 1])) < 100  # a number, not its bits
        assert float(words[words.index("got") + 1]) == pytest.approx(
            float(words[words.index("expected") + 1]), rel=0.01
        )


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_integers_are_no_bfloat16(runtime):
    quantized = case(op="QLinearSigmoid", domain="com.microsoft", opset=1, dtype="uint8", axis=None)
    attention = case(op="Attention", opset=24, axis=None, shape=(1, 2, 3, 4), family="mask-boolean")
    for asked in (quantized, attention):
        found = report(runtime, asked)
        script = script_of(found, found.cases[0], material(asked))
        assert "bf16" not in script.lower()
        assert "bfloat16" not in script.lower()
    half = case(op="ReduceLogSumExp", opset=18, dtype="bfloat16")
    found = report(runtime, half)
    assert "bf" in script_of(found, found.cases[0], material(half)).lower()


def test_scalars_stay_scalars(tmp_path):
    odd = case(op="NegativeLogLikelihoodLoss", opset=22, dtype="bfloat16", axis=None, variant="mean")
    report("onnx.reference", odd).write(tmp_path)
    with np.load(
        tmp_path / "reproductions" / "negativeloglikelihoodloss-bfloat16-wrong-ulp" / "expected.npz"
    ) as stored:
        assert [stored[name].shape for name in stored] == [()]


def test_strings_are_no_pickles(tmp_path):
    odd = case(op="LinearClassifier", domain="ai.onnx.ml", opset=1, axis=None, variant="NONE+strings")
    report("onnxruntime", odd).write(tmp_path)
    (folder,) = (tmp_path / "reproductions").iterdir()
    with np.load(folder / "expected.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored)
    run(folder / "reproduce.py")


def test_views_settings_and_threads_are_made_again():
    strided = case(family="non-contiguous", shape=(5, 13, 3))
    for asked, words in (
        (strided, "[..., ::2]"),
        (case(setting="level=basic"), "ORT_ENABLE_BASIC"),
        (case(setting="threads=2"), "intra_op_num_threads = 2"),
    ):
        found = report("onnxruntime", asked)
        assert words in script_of(found, found.cases[0], material(asked))


def test_a_runtime_of_ones_own_gets_a_script_to_fill_in():
    found = report("mine", case())
    script = script_of(found, found.cases[0], material(case()))
    assert "your runtime" in script
    ast.parse(script)


OWN = """
import numpy as np
from onnx import load_from_string
from onnx.reference import ReferenceEvaluator


class Own:
    def run(self, model, feeds):
        (y,) = ReferenceEvaluator(load_from_string(model)).run(None, feeds)
        return [np.where(y < 0.01, 0 * y, y)]

    prepare = staticmethod(lambda model, device: Prepared(model))


class Prepared:
    def __init__(self, model):
        self._model = model

    def run(self, inputs):
        return Own().run(self._model.SerializeToString(), {"input": inputs[0]})


prepare = Own.prepare
ready = Own()
"""


@pytest.mark.parametrize("kind", ["class", "instance", "module", "backend", "backend:class"])
def test_the_script_of_ones_own_runtime_imports_it(kind, tmp_path, monkeypatch):
    (tmp_path / "own_toy.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_toy", raising=False)
    toy = importlib.import_module("own_toy")
    toy.run = toy.ready.run
    runtime = {
        "class": toy.Own(),
        "instance": toy.ready,
        "module": toy,
        "backend": "backend:own_toy",
        "backend:class": "backend:own_toy:Own",
    }[kind]
    if kind == "module":
        (tmp_path / "own_toy.py").write_text(f"{OWN}run = ready.run\n")
    asked = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "families": ["gaussian-3"]}
    found = SuiteReport.from_json(conformance.run(runtime, **asked, quick=True).to_json())
    found.write(tmp_path / "report")
    (folder,) = (tmp_path / "report" / "reproductions").iterdir()
    words = run(folder / "reproduce.py").split()
    assert float(words[words.index("got") + 1]) == 0
    assert 0 < float(words[words.index("expected") + 1]) < 0.01


def test_folders_of_an_earlier_report_go_and_those_of_others_stay(tmp_path):
    report("onnxruntime", case()).write(tmp_path)
    mine = tmp_path / "reproductions" / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("precious")
    (tmp_path / "reproductions" / "empty").mkdir()
    report("onnxruntime", case(dtype="float64")).write(tmp_path)
    assert sorted(path.name for path in (tmp_path / "reproductions").iterdir()) == [
        *("empty", "mine", "softmax-float64-wrong-ulp")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("junit.xml", "report.html", "report.json", "report.md", "reproductions")
    ]


@pytest.mark.parametrize(
    "odd",
    [{"family": "no such family"}, {"op": "Softplunge"}, {"opset": 99}, {"axis": 7}, {"dtype": "float7"}],
)
def test_a_case_that_cannot_be_built_leaves_the_rest(odd, tmp_path):
    found = report("onnxruntime", case(**odd), case(dtype="float64"))
    found.write(tmp_path)
    assert [path.name for path in (tmp_path / "reproductions").iterdir()] == ["softmax-float64-wrong-ulp"]
    assert str(*odd.values()) in (tmp_path / "report.html").read_text("utf-8")
    assert len(kinds(found)) == 2


def test_real_failures_of_onnxruntime_are_shown(tmp_path):
    found = conformance.run(
        "onnxruntime", ops=["Sigmoid"], opsets=[13], dtypes=["float32"], families=["sorted"]
    )
    failed = [record for record in found.cases if record.outcome == "wrong"]
    if not failed:
        pytest.skip("this onnxruntime computes Sigmoid right: nothing to show")
    found.write(tmp_path)
    folder = tmp_path / "reproductions" / kinds(found)[0].slug
    worst = kinds(found)[0].smallest.worst
    words = run(folder / "reproduce.py").split()
    assert np.float32(words[words.index("got") + 1]) == np.float32(worst.actual)
    assert np.float32(words[words.index("expected") + 1]) == np.float32(worst.expected)
