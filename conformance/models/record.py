"""The report of a validation: what was found, as Python values and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from ..measure.decisions import Decisions
from ..measure.metrics import OutputReport
from .pairs import Apart, NodeApart
from .step import Step


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
    apart
        The runtime against our backend, from end to end: outputs, decisions and nodes, as measured.
    steps
        The verdicts on the runtime's own values: what was judged.
    failures
        Why it did not pass, a sentence each.
    notes
        What a reader should know besides.
    compared
        False where there was not an element to compare.
    family
        The family that the logits were aimed at; None for other inputs.
    """

    runtime: str
    runtime_version: str
    softops_version: str
    opset: int
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    seed: int | None
    seconds: dict[str, float]
    apart: Apart = field(default_factory=Apart)
    steps: list[Step] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: bool = True
    family: str | None = None

    @property
    def outputs(self) -> dict[str, OutputReport]:
        """The runtime against our backend, from end to end, by output name: what was measured."""
        return self.apart.outputs

    @property
    def departure(self) -> Step | None:
        """The first node of the softmax family, in the graph's order, that made something wrong of its input."""
        wrong = (step for step in self.steps if step.rule == "exact value" and not step.passed)
        return next(wrong, None)

    @property
    def passed(self) -> bool:
        """Whether the runtime computed every step right, and there was something to compare."""
        return not self.failures and bool(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        plain = {
            "schema": 2,
            "passed": self.passed,
            "compared": self.compared,
            "family": self.family,
            **{
                name: getattr(self, name)
                for name in ("runtime", "runtime_version", "softops_version", "opset", "seed", "seconds")
            },
            "inputs": {
                name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in self.inputs.items()
            },
            "outputs": {name: fields_of(output) for name, output in self.outputs.items()},
            "decisions": {name: fields_of(entry) for name, entry in self.apart.decisions.items()},
            "nodes": [fields_of(node) for node in self.apart.nodes],
            "departure": None if self.departure is None else self.departure.tensor,
            "steps": [fields_of(step) for step in self.steps],
            "failures": self.failures,
            "notes": self.notes,
        }
        result: dict[str, Any] = plain_json(plain)
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def fields_of(record: OutputReport | Step | Decisions | NodeApart) -> dict[str, Any]:
    """Return the fields of a record by name, without its long arrays."""
    names = [entry.name for entry in dataclasses.fields(record) if entry.repr]
    return {name: getattr(record, name) for name in names}


def plain_json(value: Any) -> Any:
    """Return a value in what JSON knows: NaN and infinities as strings."""
    if isinstance(value, dict):
        return {name: plain_json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
