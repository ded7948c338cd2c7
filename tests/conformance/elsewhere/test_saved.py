"""`dump` and `check`: models and inputs for a runtime elsewhere, and its outputs judged."""

import json

import ml_dtypes
import numpy as np
import pytest

from softops.cli.main import run
from softops.conformance.cases.grid import cases
from softops.conformance.elsewhere.saved import SavedRuntime, dump, saved_cases
from softops.conformance.elsewhere.saved_arrays import write_arrays
from softops.conformance.suite.suite import run_cases
from softops.export.sources.arrays import read_npz
from softops.opset.backend import prepare

CHOICE = {
    "ops": "Softmax",
    "opsets": [12, 13],
    "families": ["gaussian-3", "non-contiguous"],
    "depth": "quick",
}


@pytest.fixture
def folder(tmp_path):
    directory = tmp_path / "cases"
    dump(cases(**CHOICE), directory)
    return directory


def fill(folder, change=lambda outputs: outputs):
    """Run each model on its inputs, as someone elsewhere would; bfloat16 stands in the files as its bits."""
    for entry in json.loads((folder / "index.json").read_text())["cases"]:
        prepared = prepare(str(folder / entry["model"]))
        types = {value.name: value.type for value in prepared.inputs}
        feeds = {
            name: x.view(ml_dtypes.bfloat16) if "bfloat16" in types[name] else x
            for name, x in read_npz(folder / entry["inputs"]).items()
        }
        outputs = dict(zip(prepared.output_names, prepared.run(feeds), strict=True))
        np.savez(folder / entry["outputs"], **change(outputs))


def judged(folder):
    return run_cases(SavedRuntime(folder), saved_cases(folder))


def test_right_outputs_pass(folder):
    fill(folder)
    report = judged(folder)
    assert report.passed, report.unexpected[0].message
    assert report.compared == len(cases(**CHOICE))


def test_wrong_outputs_do_not(folder):
    fill(folder, lambda outputs: {name: y * np.float32(1.001).astype(y.dtype) for name, y in outputs.items()})
    assert not judged(folder).passed


def test_what_was_left_out_is_not_supported_and_nothing_at_all_does_not_pass(folder):
    report = judged(folder)
    assert report.counts["unsupported"] == len(report.cases)
    assert not report.passed
    assert run(["conformance", "check", str(folder)]) == 3


@pytest.mark.parametrize(
    ("change", "outcome", "said"),
    [
        (lambda y: y[:1], "wrong", "expected shape"),
        (lambda y: y.astype(np.float32 if y.dtype == np.float64 else np.float64), "wrong", "expected"),
        (lambda y: np.array([{}], object), "crashed", "Python objects"),
    ],
)
def test_outputs_of_another_kind_are_told(folder, change, outcome, said):
    fill(folder, lambda outputs: {name: change(y) for name, y in outputs.items()})
    report = judged(folder)
    assert report.counts[outcome] == len(report.cases)
    assert all(said in record.message for record in report.cases)


@pytest.mark.parametrize("depth", ["quick", "default", "full"])
def test_as_many_cases_are_written_as_are_asked_for(depth, tmp_path, capsys):
    few = {"ops": ["Hardmax"], "opsets": [13], "dtypes": ["float16"], "families": ["gaps"]}
    chosen = [part for name, (value,) in few.items() for part in (f"--{name}", str(value))]
    options = [] if depth == "default" else [f"--{depth}"]
    assert run(["conformance", "dump", str(tmp_path / "new"), *chosen, *options]) == 0
    count = len(cases(**few, depth=depth))
    assert count not in [len(cases(**few, depth=other)) for other in {"quick", "default", "full"} - {depth}]
    assert capsys.readouterr().out.startswith(f"{count} cases")


def test_a_folder_with_something_in_it_is_left_alone(folder, capsys):
    assert run(["conformance", "dump", str(folder), "--quick"]) == 2
    assert "new or empty folder" in capsys.readouterr().err


def test_an_index_that_points_outside_is_refused(folder):
    path = folder / "index.json"
    index = json.loads(path.read_text())
    index["cases"][0]["outputs"] = "../../secret.npz"
    path.write_text(json.dumps(index))
    with pytest.raises(ValueError, match="outside the folder"):
        SavedRuntime(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 9, "cases": []}', '{"schema": 1, "cases": [{}]}'])
def test_an_index_of_another_kind_is_refused(folder, text):
    (folder / "index.json").write_text(text)
    with pytest.raises(ValueError, match="expected an index of schema 1"):
        SavedRuntime(folder)


def test_bfloat16_and_strings_are_kept_without_pickles(tmp_path):
    import ml_dtypes
    import onnx

    from softops.conformance.elsewhere.saved_arrays import read_outputs

    x = np.array([1.5, np.nan], ml_dtypes.bfloat16)
    labels = np.array(["a", "bc"], object)
    write_arrays(tmp_path / "a.npz", {"x": x, "labels": labels})
    kinds = {"x": onnx.TensorProto.BFLOAT16, "labels": onnx.TensorProto.STRING}
    outputs = [onnx.helper.make_tensor_value_info(name, kind, [2]) for name, kind in kinds.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], outputs))
    back, names = read_outputs(tmp_path / "a.npz", model)
    assert back.dtype == x.dtype
    assert back.tobytes() == x.tobytes()
    assert names.tolist() == ["a", "bc"]
