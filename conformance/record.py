"""The report of a validation: what was found, as Python values and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from .judge import Step
from .metrics import OutputReport


@dataclass(eq=False)
class Report:
    """
    What `softops.conformance.validate` found.

    Attributes
    ----------
    runtime, runtime_version, softops_version, opset
        What was run, and the version of ai.onnx that the model imports.
    inputs
        dtype and shape by input name.
    seed
        What the inputs were made up from; None where they were given.
    seconds
        Fastest run on these inputs, by runtime; without loading the model where the runtime can be asked.
    outputs
        The runtime against our backend, from end to end, by output name: what was measured.
    steps
        The verdicts on the runtime's own values: what was judged.
    failures
        Why it did not pass, a sentence each.
    notes
        What a reader should know besides.
    """

    runtime: str
    runtime_version: str
    softops_version: str
    opset: int
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    seed: int | None
    seconds: dict[str, float]
    outputs: dict[str, OutputReport] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the runtime computed every step right, and there was something to compare."""
        return not self.failures and bool(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        plain = {
            "schema": 1,
            "passed": self.passed,
            **{
                name: getattr(self, name)
                for name in ("runtime", "runtime_version", "softops_version", "opset", "seed", "seconds")
            },
            "inputs": {
                name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in self.inputs.items()
            },
            "outputs": {name: _fields(output) for name, output in self.outputs.items()},
            "steps": [_fields(step) for step in self.steps],
            "failures": self.failures,
            "notes": self.notes,
        }
        result: dict[str, Any] = _json(plain)
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def _fields(record: OutputReport | Step) -> dict[str, Any]:
    names = [entry.name for entry in dataclasses.fields(record) if entry.repr]
    return {name: getattr(record, name) for name in names}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
