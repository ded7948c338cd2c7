"""The report on one runtime, as Python values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..measure.brief import Brief, Briefed, Table
from ..measure.metrics import OutputReport
from ..measure.plain import as_json, fields_of, plain
from ..measure.precision import heading
from ..steps.step import Step
from .differences import Differences


@dataclass(eq=False, repr=False)
class Report(Briefed):
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
        What is wrong, a sentence each.
    unsettled
        What differs where it cannot be told which of the two is wrong, and what could not be judged, a sentence each.
    known
        The known deviations of the runtime that were met, a sentence each.
    caveats
        Why a right verdict says little, a sentence each with what to do.
    notes
        What a reader should know besides.
    compared
        False where there was not an element to compare.
    family
        The family that the logits were aimed at; None for other inputs.
    computes_in, runs_on
        The precision that the runtime said it computes this model in, by its short name
        (`softops.conformance.measure.precision.WORDS`), and the devices or providers; empty where it does not tell.
    """

    runtime: str
    runtime_version: str
    softops_version: str
    opset: int
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    seed: int | None
    seconds: dict[str, float]
    apart: Differences = field(default_factory=Differences)
    steps: list[Step] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: bool = True
    family: str | None = None
    computes_in: str = ""
    runs_on: str = ""

    @property
    def heading(self) -> str:
        """The first line of every form of the report: runtime, version, devices and precision."""
        return heading(self.runtime, self.runtime_version, [self.computes_in], [self.runs_on])

    @property
    def outputs(self) -> dict[str, OutputReport]:
        """The runtime against our backend, from end to end, by output name: what was measured."""
        return self.apart.outputs

    @property
    def departure(self) -> Step | None:
        """The first node of the softmax family, in the graph's order, that made something wrong of its input."""
        wrong = (step for step in self.steps if step.rule == "exact value" and step.verdict == "wrong")
        return next(wrong, None)

    @property
    def verdict(self) -> str:
        """``right``, ``right but for known deviations``, ``cannot tell``, ``wrong`` or ``nothing compared``."""
        if not self.compared:
            return "nothing compared"
        if self.failures:
            return "wrong"
        if self.unsettled or not self.outputs:
            return "cannot tell"
        return "right but for known deviations" if self.known else "right"

    @property
    def passed(self) -> bool:
        """Whether all was computed right but for known deviations, and there was something to compare."""
        return self.verdict.startswith("right")

    @property
    def brief(self) -> Brief:
        """The outputs, the steps that are not right, and what is to be said of them."""
        steps = [
            (step.tensor, step.operator, step.verdict, f"{step.wrong:,} of {step.size:,}")
            for step in self.steps
            if step.verdict != "right"
        ]
        tables = [self.apart.table] if self.outputs else []
        tables += [Table(("step", "made by", "verdict", "beyond its bound"), steps)] if steps else []
        sentences = [f"wrong: {failure}" for failure in self.failures]
        sentences += [f"cannot tell: {reason}" for reason in self.unsettled]
        sentences += [f"known: {deviation}" for deviation in self.known]
        sentences += [f"but: {caveat}" for caveat in self.caveats]
        if self.steps and not steps:
            sentences.append(f"all {len(self.steps)} steps are right on the values that they were given")
        about = f"{self.heading}, {self.family}" if self.family else self.heading
        passed = self.passed or (False if self.verdict == "wrong" else None)
        return Brief(about, self.verdict, passed, tables, sentences + self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        result: dict[str, Any] = plain(
            {
                "schema": 3,
                "heading": self.heading,
                "computes_in": self.computes_in,
                "runs_on": self.runs_on,
                "passed": self.passed,
                "verdict": self.verdict,
                "compared": self.compared,
                "family": self.family,
                **{
                    name: getattr(self, name)
                    for name in ("runtime", "runtime_version", "softops_version", "opset", "seed", "seconds")
                },
                "inputs": {
                    name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in self.inputs.items()
                },
                **self.apart.to_dict(),
                "departure": None if self.departure is None else self.departure.tensor,
                "steps": [fields_of(step) for step in self.steps],
                "failures": self.failures,
                "unsettled": self.unsettled,
                "known": self.known,
                "caveats": self.caveats,
                "notes": self.notes,
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return as_json(self.to_dict())
