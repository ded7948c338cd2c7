"""What a library is given, and what it does with it."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from softops import numba_kernels

ROOT = Path(__file__).parents[2]
PEERS = ["softops.Softops", "torch.Torch", "onnxruntime.OnnxRuntime", "openvino.OpenVino", "jax.Jax"]


@pytest.mark.parametrize("name", PEERS)
def test_in_place_each_call_works_on_the_result_of_the_one_before(monkeypatch, name):
    monkeypatch.syspath_prepend(str(ROOT))
    workloads = importlib.import_module("benchmarks.workloads")
    module, kind = name.split(".")
    peer = getattr(importlib.import_module(f"benchmarks.peers.{module}"), kind)()
    if not peer.available():
        pytest.skip(f"{peer.name} is not installed")
    workload = workloads.Workload("softmax", (3, 40), in_place=True)
    given = workloads.inputs(workload)
    x = given.x.astype(np.float64)
    prepared = peer.prepare(workload, given, 1)
    for _ in range(3):
        prepared.call()
        e = np.exp(x - x.max(-1, keepdims=True))
        x = e / e.sum(-1, keepdims=True)
        np.testing.assert_allclose(prepared.result(), x, rtol=1e-5)
    np.testing.assert_array_equal(given.x, workloads.inputs(workload).x)  # as the next library gets it


def test_first_calls_are_timed_of_every_operator(monkeypatch):
    """Of all that is public but the forms for one row, which are compiled into their callers, and `warmup`."""
    monkeypatch.syspath_prepend(str(ROOT))
    arguments = importlib.import_module("benchmarks.first_call").ARGUMENTS
    public = {name for name in numba_kernels.__all__ if not name.endswith("_row")} - {"warmup"}
    assert set(arguments) == public
    x, labels = np.ones((2, 10), np.float32), np.zeros(2, np.int64)
    for name, given in arguments.items():
        getattr(numba_kernels, name)(*eval(f"({given})", {"x": x, "labels": labels}))
