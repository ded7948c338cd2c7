"""Runtimes behind an extra: found by name, told by their extra where it is missing, run where it is installed."""

import ast
import os
import sys
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from softops.conformance.adapters.adapter import Adapter, made_by, quiet
from softops.conformance.cases.build import built, material
from softops.conformance.cases.case import Case
from softops.conformance.errors import ModelNotRunError, ModelNotSupportedError, RuntimeNotInstalledError
from softops.conformance.runtimes.loading import load, refusal
from softops.conformance.runtimes.names import SHIPPED, get_runtime
from softops.conformance.runtimes.protocol import version_of

ROOT = Path(__file__).parents[3]
MODULES = {
    "tract": ("tract",),
    "tinygrad": ("tinygrad",),
    "tvm": ("tvm",),
    "iree": ("iree.runtime", "iree.compiler"),
    "mnn": ("MNN", "_tools"),
    "ncnn": ("ncnn", "pnnx"),
    "jax": ("jax",),
}
"""The adapters, and what each imports."""
LINES = 40
CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")


def test_each_adapter_is_a_runtime_with_an_extra_of_its_name():
    listed = {name for name, module in SHIPPED.items() if module.startswith("adapters.")}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert listed == set(MODULES)
    assert listed <= set(extras)


@pytest.mark.parametrize("name", MODULES)
def test_an_adapter_is_forty_lines_at_most(name):
    """Lines of code: not blank, no import, no docstring."""
    source = (ROOT / "conformance" / "adapters" / f"{name}.py").read_text("utf-8")
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(node.lineno, node.end_lineno + 1))
    lines = [n for n, line in enumerate(source.splitlines(), 1) if line.strip() and n not in left_out]
    assert len(lines) <= LINES


@pytest.mark.parametrize(
    ("name", "module"), [(name, part) for name, parts in MODULES.items() for part in parts]
)
def test_what_is_not_installed_names_its_extra(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeNotInstalledError, match=rf'expected {name} .*pip install "softops\[{name}\]"'):
        get_runtime(name)


@pytest.mark.parametrize("name", MODULES)
def test_options_are_refused(name):
    with pytest.raises(ValueError, match=f"options of {name} among none"):
        get_runtime(f"{name}:fast")


@pytest.fixture
def installed(request):
    for module in MODULES[request.param]:
        pytest.importorskip(module)
    return get_runtime(request.param)


@pytest.mark.parametrize("installed", MODULES, indirect=True)
def test_it_runs_models_and_names_its_version(installed):
    """With sizes that are fixed or free, arrays in C order or another."""
    assert version_of(installed)[0].isdecimal()
    for op, form in (("Softmax", "plain"), ("Softmax", "dynamic"), ("LogSoftmax", "plain")):
        case = Case(**{**vars(CASE), "op": op, "form": form})
        model, feeds = built(case)
        (y,) = load(installed, model)({name: np.asfortranarray(x) for name, x in feeds.items()})
        np.testing.assert_allclose(y, material(case).expected["output"], rtol=1e-5)


# Not ncnn's: pnnx dies of an operator that it does not know, which is not to say that it does not take it.
@pytest.mark.parametrize("installed", [name for name in MODULES if name != "ncnn"], indirect=True)
def test_what_it_does_not_take_is_not_supported(installed):
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        net (float[2] x) => (float[2] y) { y = own.Softplunge(x) }""").SerializeToString()
    with pytest.raises(ModelNotSupportedError) as caught:
        load(installed, model)({"x": np.zeros(2, np.float32)})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


class Fails(Adapter):
    """What an adapter makes of errors."""

    name, package, dtypes = "fails", "softops", ("float32",)
    not_supported = ("has no such",)
    error: Exception = ValueError()

    def prepare(self, model, proto):
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ValueError("\n  it broke \n at frame 1\n at frame 2"), ModelNotRunError, "it broke"),
        (KeyError("heads"), ModelNotRunError, "KeyError 'heads'"),
        (
            ValueError("it has no such operator\n at frame 1"),
            ModelNotSupportedError,
            "it has no such operator",
        ),
        (NotImplementedError("not yet"), ModelNotSupportedError, "not yet"),
        (RuntimeError(), ModelNotRunError, "RuntimeError"),
    ],
)
def test_an_error_is_told_by_one_line_and_by_its_kind(error, kind, said):
    runtime = Fails()
    runtime.error = error
    model, _ = built(CASE)
    with pytest.raises(ModelNotRunError) as caught:
        runtime.load(model)
    assert type(caught.value) is kind
    assert str(caught.value) == said
    assert caught.value.detail == str(error)


def test_a_dtype_that_its_tensors_do_not_have_is_not_supported():
    runtime = made_by(Fails)("")
    assert refusal(runtime, "Softmax", "", 13, "float32") is None
    assert "float64" in refusal(runtime, "Softmax", "", 13, "float64")


def test_what_compiled_code_prints_does_not_come_out(capfd):
    with quiet():
        os.write(1, b"progress\n")
    os.write(1, b"result\n")
    assert capfd.readouterr().out == "result\n"
