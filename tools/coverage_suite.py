"""The official node tests of onnx, counted by operator and runtime."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner as OnnxRunner

from softops.opset import operators

from .coverage_runners import Runner

_BODY = re.compile(r"_expanded(_ver\d+)?$")
EXCEPTIONS = {
    "test_attention_4d_causal_fp16_expanded": "the body rounds every step to float16, the expected values come from "
    "a single node's formula; 2 of 192 numbers are a float16 apart, beyond the tolerance of 1e-3",
}
"""Tests that softops does not pass, with the reason."""


class Suite:
    """Counts of the tests of one operator: how many there are, and how many each runtime passes."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.bodies: list[Any] = []
        self.passed: dict[str, tuple[int, int]] = {}
        self.failed: dict[str, list[str]] = {}


def official_tests(runners: tuple[Runner, ...], progress: Callable[[str], None]) -> dict[str, Suite]:
    """Run every official node test of our operators, single node or expanded into its body."""
    progress("making onnx's node tests")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making all cases of onnx overflows and divides by zero on purpose
        cases = {case.name: case for case in load_model_tests(kind="node")}
    known = {row.op_type for row in operators() if not row.domain}
    suites: dict[str, Suite] = {name: Suite() for name in known}
    for case in cases.values():
        whole = cases.get(_BODY.sub("", case.name), case)
        nodes = whole.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in known and not nodes[0].domain:
            suite = suites[nodes[0].op_type]
            (suite.nodes if whole is case else suite.bodies).append(case)
    for op_type, suite in suites.items():
        for runner in runners:
            progress(f"{op_type} in {runner.name}")
            failed = {case.name for case in (*suite.nodes, *suite.bodies) if not _passes(case, runner)}
            suite.failed[runner.name] = sorted(failed)
            suite.passed[runner.name] = (
                sum(case.name not in failed for case in suite.nodes),
                sum(case.name not in failed for case in suite.bodies),
            )
    return suites


def _passes(case: Any, runner: Runner) -> bool:
    try:
        for inputs, outputs in case.data_sets:
            actual = runner.run(case.model, [_array(value) for value in inputs])
            expected = [_array(value) for value in outputs]
            OnnxRunner.assert_similar_outputs(expected, actual, case.rtol, case.atol)
    except Exception:  # whatever it is, it counts as failed
        return False
    return True


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
