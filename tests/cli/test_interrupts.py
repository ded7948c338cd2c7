"""Ctrl-C while an extension is imported: Python makes an ImportError of it, and "not installed" is no answer."""

import sys

import numpy as np
import pytest

from softops.cli.main import run
from softops.conformance.runtimes.names import get_runtime
from softops.export import classifier_head
from softops.export.sources.arrays import read_weights
from softops.opset.lint.runtime import onnxruntime_version
from softops.opset.runtimes import kernels

CALLS = {
    "validate": ("onnxruntime", lambda: get_runtime("onnxruntime")),
    "torch": ("torch", lambda: get_runtime("torch")),
    "openvino": ("openvino", lambda: get_runtime("openvino")),
    "backend": ("somebody", lambda: get_runtime("backend:somebody")),
    "version": ("onnxruntime", onnxruntime_version),
    "kernels": ("onnxruntime.capi.onnxruntime_pybind11_state", kernels._cpu_kernels.__wrapped__),
    "export": ("onnxruntime", lambda: classifier_head(np.eye(3, dtype=np.float32))),
}


@pytest.fixture
def interrupted(monkeypatch):
    """Have the import of a module end as that of an extension which Ctrl-C meets."""

    def interrupt(name):
        class Finder:
            @staticmethod
            def find_spec(wanted, path=None, target=None):
                if wanted == name:
                    message = "initialization failed"
                    raise ImportError(message) from KeyboardInterrupt()

        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])

    return interrupt


@pytest.mark.parametrize(("name", "call"), CALLS.values(), ids=CALLS)
def test_an_interrupt_stays_one(name, call, interrupted):
    interrupted(name)
    with pytest.raises(KeyboardInterrupt):
        call()


def test_a_command_says_that_it_was_interrupted(interrupted, tmp_path, capsys):
    classifier_head(np.eye(3, dtype=np.float32), path=tmp_path / "m.onnx")
    interrupted("onnxruntime")
    assert run(["validate", str(tmp_path / "m.onnx")]) == 130
    assert capsys.readouterr().err == "softops: interrupted\n"


def test_a_package_that_is_not_there_is_named_as_before(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(ImportError, match="not installed"):
        read_weights(tmp_path / "w.safetensors")
