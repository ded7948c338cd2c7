"""The shipped runtimes: each runs the suite's models, says what it does not take, and is named by its entry."""

import multiprocessing
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import onnx
import pytest
from planted import Partial

from softops import conformance
from softops.conformance.cases.build import built, material
from softops.conformance.cases.case import Case
from softops.conformance.errors import (
    ModelNotRunError,
    ModelNotSupportedError,
    RuntimeNotInstalledError,
    UnknownRuntimeError,
)
from softops.conformance.runtimes import names
from softops.conformance.runtimes.child import RuntimeDiedError
from softops.conformance.runtimes.isolated import Isolated
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.runtimes.protocol import settings_of, version_of

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")


def test_every_module_that_makes_a_runtime_is_listed():
    """A runtime is a module with `from_options` and a line of `SHIPPED`; the pages are asked elsewhere."""
    package = Path(names.__file__).parents[1]
    made = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        if any(words in path.read_text("utf-8") for words in ("\ndef from_options(", "\nfrom_options = "))
    }
    assert made == set(names.SHIPPED.values())
    assert conformance.runtimes()[: len(names.SHIPPED)] == tuple(names.SHIPPED)


def test_a_runtime_of_anyones_is_found(monkeypatch):
    monkeypatch.setattr(
        names, "entry_points", lambda group: [EntryPoint("planted", "planted:from_options", group)]
    )
    assert "planted" in conformance.runtimes()
    assert type(get_runtime("planted:anything")).__name__ == "Planted"


def test_a_name_misspelt_is_told():
    with pytest.raises(UnknownRuntimeError, match="did you mean onnxruntime"):
        get_runtime("onxruntime")


@pytest.mark.parametrize("name", ["onnxruntime", "softops", "onnx.reference", "openvino", "torch"])
def test_it_runs_a_model_and_names_its_version(name):
    if name in ("openvino", "torch"):
        pytest.importorskip(name)
    runtime = get_runtime(name)
    assert runtime.supports("Softmax", 13, "float32") is None
    model, feeds = built(CASE)
    (y,) = load(runtime, model)(feeds)
    np.testing.assert_allclose(y, material(CASE).expected["output"], rtol=1e-6)
    assert version_of(runtime)[0].isdecimal()
    for setting in settings_of(runtime):
        (again,) = load(runtime.configured(setting), model)(feeds)
        np.testing.assert_allclose(again, y, rtol=1e-6)


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_bfloat16_goes_in_and_comes_out(name):
    pytest.importorskip(name)
    report = conformance.run(
        name, ops="Softmax", opsets=[13], dtypes=["bfloat16"], families=["gaussian-3"], quick=True
    )
    # OpenVINO cuts the float32 off where it should round it: off by up to 1 ULP, and no more.
    assert report.compared > 10
    assert max(record.max_ulp for record in report.cases if record.elements) < 1.5


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_what_is_not_installed_names_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeNotInstalledError, match=rf"softops\[{name}\]"):
        get_runtime(name)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("onnxruntime:level=fast", ValueError, "disabled, basic, extended, all"),
        ("onnxruntime:threads=0", ValueError, "1 or more"),
        ("onnxruntime:provider=Abacus", RuntimeNotInstalledError, "CPUExecutionProvider"),
        ("onnxruntime:speed=high", ValueError, "provider=CPU,level=all"),
        ("softops:fast", ValueError, "options of softops among none"),
        ("backend:", ValueError, "backend:package.module"),
        ("backend:no.such.module", RuntimeNotInstalledError, "import path"),
        ("backend:json:Nothing", RuntimeNotInstalledError, "import path"),
        ("backend::Nothing", RuntimeNotInstalledError, "import path"),
        ("backend:.json", RuntimeNotInstalledError, "import path"),
        ("backend:json", ValueError, "prepare"),
        ("cmd: ./tool {model}", ValueError, r"\{inputs\} and \{outputs\}"),
        ("cmd: ./tool '{model} {inputs} {outputs}", ValueError, "quotes"),
        ("saved:", ValueError, "saved:FOLDER"),
        ("saved:nowhere", FileNotFoundError, "dump"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, error, said):
    with pytest.raises(error, match=said):
        get_runtime(name)


def test_an_onnx_backend_by_its_import_path():
    report = conformance.run(
        "backend:softops.opset.backend:SoftopsBackend",
        ops="Softmax",
        dtypes="float32",
        families="ties",
        quick=True,
    )
    assert report.passed
    assert report.runtime == "backend:softops.opset.backend:SoftopsBackend"


@pytest.mark.parametrize("name", ["onnxruntime", "onnx.reference", "softops", "openvino", "torch"])
def test_an_operator_that_it_does_not_know_is_not_supported(name):
    if name in ("openvino", "torch"):
        pytest.importorskip(name)
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[2] x) => (float[2] y) { y = own.Softplunge(x) }""")
    with pytest.raises(ModelNotSupportedError):
        load(get_runtime(name), model.SerializeToString())({"x": np.zeros(2, np.float32)})


@pytest.mark.parametrize("time_limit", [None, 60])
@pytest.mark.parametrize("runtime", [Partial(), "backend:planted:Partial"], ids=["object", "backend"])
def test_what_is_not_implemented_is_unsupported(runtime, time_limit):
    asked = {"ops": ["Softmax", "Hardmax"], "opsets": [13], "dtypes": ["float32"], "families": ["ties"]}
    report = conformance.run(runtime, **asked, quick=True, time_limit=time_limit)
    outcomes = {
        op: {r.outcome for r in report.cases if r.op == op and r.form == "plain"} for op in asked["ops"]
    }
    assert outcomes == {"Softmax": {"right"}, "Hardmax": {"unsupported"}}
    assert report.counts["crashed"] == 0


def test_a_session_that_has_no_kernel_when_it_runs_is_unsupported(monkeypatch):
    class Session:
        def get_outputs(self):
            message = "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : no kernel for this shape"
            raise RuntimeError(message)

    ours = sys.modules["softops.conformance.runtimes.onnxruntime"]
    with pytest.raises(ModelNotSupportedError, match="no kernel for this shape"):
        ours._run(None, Session(), {})


class OfAnotherKind:
    """As a tensor of torch in bfloat16: it is no array and does not become one."""

    def __array__(self, dtype=None, copy=None):
        message = "another kind of number"
        raise TypeError(message)


@pytest.mark.parametrize("output", [[[0.5], [0.25, 0.25]], OfAnotherKind()])
def test_an_output_that_is_no_array_is_named(output):
    class Gives:
        name, version = "gives", "1"

        def run(self, model, feeds):
            return [output]

    model, feeds = built(CASE)
    with pytest.raises(ModelNotRunError, match="an output 0 that is no array"):
        load(Gives(), model)(feeds)


def test_a_process_that_has_ended_is_said_and_started_again():
    before, isolated = multiprocessing.active_children(), Isolated("softops", 60)
    model, feeds = built(CASE)
    run = load(isolated, model)
    (y,) = run(feeds)
    (process,) = set(multiprocessing.active_children()) - set(before)
    process.kill()
    process.join()
    with pytest.raises(RuntimeDiedError, match="ended with code"):
        run(feeds)
    np.testing.assert_array_equal(run(feeds)[0], y)
    isolated.close()


def test_torch_says_what_it_has_no_function_for():
    pytest.importorskip("torch")
    runtime = get_runtime("torch")
    assert "Hardmax" in runtime.supports("Hardmax", 13, "float32")
    with pytest.raises(ModelNotSupportedError, match="single nodes"):
        load(runtime, built(Case(**{**vars(CASE), "form": "chained"}))[0])
    for variant in ("3d", "past", "causal"):
        attention = Case(
            op="Attention",
            opset=24,
            dtype="float32",
            shape=(2, 2, 3, 4),
            family="gaussian-1",
            variant=variant,
        )
        model, feeds = built(attention)
        with pytest.raises(ModelNotSupportedError, match="no such attributes or inputs"):
            load(runtime, model)(feeds)
