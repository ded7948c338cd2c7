"""`dump --layout onnx`: the test data that onnx's own loader and runner read, and outputs as TensorProtos."""

import json
import unittest
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx.backend.test.runner
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from softops.cli.main import run
from softops.conformance.cases.build import material
from softops.conformance.cases.grid import cases
from softops.conformance.elsewhere.saved import SavedRuntime, dump, saved_cases
from softops.conformance.suite.suite import run_cases
from softops.opset.backend import SoftopsBackend, prepare

CHOICE = {
    "ops": ["Hardmax", "TopK", "ai.onnx.ml.LinearClassifier"],  # several outputs, and strings
    "opsets": [1, 11, 13],
    "dtypes": ["float32"],
    "families": ["gaussian-3", "non-contiguous"],
    "depth": "quick",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dump") / "softops"
    dump(cases(**CHOICE), directory, layout="onnx")
    return directory


@pytest.fixture
def folder(tmp_path):
    directory = tmp_path / "few"
    dump(cases(**CHOICE | {"ops": "Hardmax", "opsets": [13], "dtypes": None}), directory, layout="onnx")
    return directory


def read(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return tensor.name, numpy_helper.to_array(tensor)


def data_sets(folder):
    """Every folder of test data as a harness finds it, with its model."""
    for case in load_model_tests(str(folder.parent), folder.name):
        assert case.model_dir is not None
        for data in sorted(Path(case.model_dir).glob("test_data_set_*")):
            yield data, Path(case.model_dir) / "model.onnx"


def fill(folder, change=lambda y: y):
    """Run each model on its inputs and save outputs as .pb beside what was expected."""
    for data, model in data_sets(folder):
        prepared = prepare(str(model))
        feeds = dict(read(path) for path in data.glob("input_*.pb"))
        for place, y in enumerate(prepared.run(feeds)):
            tensor = numpy_helper.from_array(change(y), prepared.output_names[place])
            (data / f"actual_{place}.pb").write_bytes(tensor.SerializeToString())


def test_it_holds_each_case_with_its_exact_outputs(made):
    listed = cases(**CHOICE)
    entries = json.loads((made / "index.json").read_text())["cases"]
    assert len(list(data_sets(made))) == len(entries) == len(listed)
    for case, entry in zip(listed, entries, strict=True):
        known = material(case)
        data = made / entry["outputs"]
        feeds = [read(made / path) for path in entry["inputs"]]
        assert [name for name, _ in feeds] == list(known.feeds)
        for (_, x), right in zip(feeds, known.feeds.values(), strict=True):
            assert x.dtype == right.dtype
            assert x.tobytes() == right.tobytes()
        outputs = [read(data.with_name(f"output_{i}.pb")) for i in range(len(known.expected))]
        graph = onnx.load(made / entry["model"]).graph
        assert [name for name, _ in outputs] == [value.name for value in graph.output]
        for (_, y), right in zip(outputs, known.expected.values(), strict=True):
            assert y.shape == right.shape
            np.testing.assert_array_equal(y, right)


def test_inputs_of_one_model_are_data_sets_of_one_folder(made):
    counts = [len(list(path.glob("test_data_set_*"))) for path in made.iterdir() if path.is_dir()]
    assert max(counts) > 1
    for path in made.glob("*/"):
        numbers = sorted(int(data.name.removeprefix("test_data_set_")) for data in path.glob("*/"))
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("name", ["softops", "onnxruntime"])
def test_the_runner_of_onnx_runs_it(made, name, monkeypatch):
    backend = SoftopsBackend if name == "softops" else pytest.importorskip("onnxruntime.backend")
    monkeypatch.setattr(
        onnx.backend.test.runner,
        "load_model_tests",
        lambda kind: load_model_tests(str(made.parent), made.name) if kind == "simple" else [],
    )
    result = unittest.TestResult()
    onnx.backend.test.runner.Runner(backend).exclude(".*_cuda").test_suite.run(result)
    assert result.testsRun - len(result.skipped) >= len(list(made.glob("test_*")))
    failed = [str(test) for test, _ in (*result.failures, *result.errors)]
    # onnxruntime refuses one without intercepts, and has other numbers after PROBIT: its list says so.
    assert [test for test in failed if name == "softops" or "LinearClassifier" not in test] == []
    assert len(failed) < 0.2 * result.testsRun


def test_outputs_as_tensors_are_judged(folder):
    fill(folder)
    report = run_cases(SavedRuntime(folder), saved_cases(folder))
    assert report.passed, report.unexpected[0].message
    assert report.compared == len(report.cases)
    assert "bfloat16" in {record.dtype for record in report.cases}


def test_wrong_outputs_as_tensors_are_found(folder, capsys):
    fill(folder, lambda y: y[::-1])
    assert run(["conformance", "check", str(folder), "--name", "mine 2"]) == 1
    assert "mine 2 does not pass" in capsys.readouterr().out


def test_what_was_expected_is_not_taken_for_an_output(folder):
    report = run_cases(SavedRuntime(folder), saved_cases(folder))
    assert report.counts["unsupported"] == len(report.cases)


def test_an_npz_will_do_as_well(folder):
    for data, model in data_sets(folder):
        prepared = prepare(str(model))
        feeds = dict(read(path) for path in data.glob("input_*.pb"))
        outputs = dict(zip(prepared.output_names, prepared.run(feeds), strict=True))
        plain = {
            name: y.view(np.uint16) if y.dtype == ml_dtypes.bfloat16 else y for name, y in outputs.items()
        }
        np.savez(data / "actual.npz", **plain)
    assert run_cases(SavedRuntime(folder), saved_cases(folder)).passed


def test_tensors_stand_for_the_npz_of_the_other_layout(tmp_path):
    listed = cases(**CHOICE | {"ops": "TopK", "opsets": [11]})
    dump(listed, tmp_path / "new")
    entries = json.loads((tmp_path / "new" / "index.json").read_text())["cases"]
    for case, entry in zip(listed, entries, strict=True):
        stem = (tmp_path / "new" / entry["outputs"]).with_suffix("")
        for place, y in enumerate(material(case).expected.values()):
            Path(f"{stem}_{place}.pb").write_bytes(numpy_helper.from_array(y).SerializeToString())
    assert run_cases(SavedRuntime(tmp_path / "new"), saved_cases(tmp_path / "new")).passed


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, None])
def test_a_file_that_is_no_tensor_is_told(folder, content):
    fill(folder)
    if content is None:
        tensor = onnx.TensorProto(data_type=1, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="secret.bin")
        content = tensor.SerializeToString()
    for path in folder.glob("*/*/actual_0.pb"):
        path.write_bytes(content)
    report = run_cases(SavedRuntime(folder), saved_cases(folder))
    assert report.counts["crashed"] == len(report.cases)
    assert all("expected a serialized TensorProto" in record.message for record in report.cases)


def test_a_tensor_outside_the_folder_is_not_read(folder, tmp_path):
    fill(folder)
    for path in folder.glob("*/*/actual_0.pb"):
        path.rename(tmp_path / "moved.pb")
        path.symlink_to(tmp_path / "moved.pb")
    report = run_cases(SavedRuntime(folder), saved_cases(folder))
    assert report.counts["crashed"] == len(report.cases)
    assert "a link to elsewhere" in report.cases[0].message


def test_an_output_that_lacks_is_told(folder):
    fill(folder)
    entry = json.loads((folder / "index.json").read_text())["cases"][0]
    (folder / entry["outputs"]).with_name("actual_0.pb").unlink()
    report = run_cases(SavedRuntime(folder), saved_cases(folder))
    assert report.counts["unsupported"] == 1


def test_what_draws_samples_is_left_out_and_counted(tmp_path, capsys):
    asked = ["--ops", "Multinomial,Hardmax", "--opsets", "13", "--dtypes", "float32", "--families", "ties"]
    assert run(["conformance", "dump", str(tmp_path / "a"), *asked, "--quick"]) == 0
    whole = len(saved_cases(tmp_path / "a"))
    assert run(["conformance", "dump", str(tmp_path / "b"), *asked, "--quick", "--layout", "onnx"]) == 0
    kept = saved_cases(tmp_path / "b")
    assert {case.op for case in kept} == {"Hardmax"}
    assert f"{whole - len(kept)} that draw samples are left out" in capsys.readouterr().out


def test_a_layout_that_is_none(tmp_path, capsys):
    assert run(["conformance", "dump", str(tmp_path / "a"), "--layout", "pb"]) == 2
    assert "expected a layout among npz, onnx (got 'pb')" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
