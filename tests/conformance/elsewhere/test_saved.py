"""`dump` and `check`: models and inputs for a runtime elsewhere, and its outputs judged."""

import json
import zipfile

import ml_dtypes
import numpy as np
import pytest

from softops.cli.main import run
from softops.conformance.cases.grid import cases
from softops.conformance.elsewhere.saved import SavedRuntime, dump, saved_cases
from softops.conformance.elsewhere.saved_arrays import write_arrays
from softops.conformance.suite.suite import run_cases
from softops.conformance.verdicts.known import known_deviations
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


def judged(folder, name=None):
    return run_cases(SavedRuntime(folder, name), saved_cases(folder))


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


def test_every_array_is_written_in_c_order(tmp_path):
    # With forms and variants: some of their inputs are transposed, which NumPy's format can say and few readers know.
    asked = cases(ops=["Softmax", "Attention"], opsets=[13, 24], dtypes=["float32", "bfloat16"])
    dump([case for case in asked if case.form != "plain" or case.op == "Attention"], tmp_path / "new")
    files = list((tmp_path / "new").glob("*/inputs-*.npz"))
    assert len(files) > 100
    for file in files:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                with archive.open(name) as array:
                    version = np.lib.format.read_magic(array)
                    shape, fortran, _ = getattr(np.lib.format, f"read_array_header_{version[0]}_0")(array)
                    assert not fortran or len(shape) < 2, f"{file} {name}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("onnxruntime-web 1.24 wasm", ("onnxruntime-web", "1.24", "wasm")),
        (
            "onnxruntime-web 1.24.0-dev WebGPU on Adreno 740",
            ("onnxruntime-web", "1.24.0-dev", "WebGPU on Adreno 740"),
        ),
        ("Core ML v8.1", ("Core ML", "8.1", "")),
        ("mine 2 on a phone", ("mine", "2", "a phone")),
        ("mine", ("mine", "", "")),
        ("3dnn", ("3dnn", "", "")),
    ],
)
def test_what_made_the_outputs_is_named_with_its_version(folder, text, parts):
    runtime = SavedRuntime(folder, text)
    assert (runtime.name, runtime.version, runtime.runs_on) == parts
    report = run_cases(runtime, saved_cases(folder)[:1])
    assert (report.runtime, report.runtime_version) == parts[:2]
    name, version, place = parts
    assert report.heading.partition(",")[0] == " ".join(
        filter(None, [name, version, place and f"on {place}"])
    )


def test_a_name_is_one(folder, capsys):
    assert run(["conformance", "check", str(folder), "--name", " "]) == 2
    assert "expected the name of a runtime" in capsys.readouterr().err


def test_deviations_are_known_by_the_name(tmp_path, capsys):
    """onnxruntime itself makes outputs that its list has."""
    session = pytest.importorskip("onnxruntime")
    known = known_deviations("onnxruntime", session.__version__)
    shown = [name for entry in known.deviations if entry.outcome == "wrong" for name in entry.shown_by]
    every = cases(dtypes=["float32"])
    listed = [case for case in every if case.id in shown][:5]
    assert listed
    dump(listed, tmp_path / "new")
    for entry in json.loads((tmp_path / "new" / "index.json").read_text())["cases"]:
        ran = session.InferenceSession(tmp_path / "new" / entry["model"], providers=["CPUExecutionProvider"])
        outputs = ran.run(None, read_npz(tmp_path / "new" / entry["inputs"]))
        names = [output.name for output in ran.get_outputs()]
        np.savez(tmp_path / "new" / entry["outputs"], **dict(zip(names, outputs, strict=True)))
    check = ["conformance", "check", str(tmp_path / "new")]
    assert run([*check, "--name", f"onnxruntime {session.__version__} elsewhere"]) == 0
    assert "no new deviations" in capsys.readouterr().out
    assert run(check) == 1


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
