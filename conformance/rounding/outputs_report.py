"""What was found of outputs that were made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..measure.brief import Brief, Briefed
from ..measure.metrics import Scalar
from ..measure.plain import as_json, fields_of, plain
from .envelope import LARGEST
from .judgement import Judgement

VERDICTS = ("decisions differ", "not explained", "not decidable", "explained by rounding", "equal")
"""Of a tensor and of all outputs, the gravest first."""

_WRONG = ("decisions differ", "not explained")


@dataclass(frozen=True, kw_only=True)
class JudgedTensor(Judgement):
    """
    A tensor that was made elsewhere, and what rounding makes of its difference from the model.

    Attributes
    ----------
    name, node
        The tensor, and what makes it in the model.
    dtype, shape
        Of the model's tensor.
    """

    name: str
    node: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return self.sentence

    @property
    def wrong(self) -> bool:
        """Whether rounding does not explain it."""
        return self.verdict in _WRONG

    @property
    def sentence(self) -> str:
        """What was found of it, without the sentence's end."""
        said = f"{self.name}: {self.verdict}"
        if self.verdict == "explained by rounding" and self.ratio:
            said += f", the largest difference is {self.ratio:.2g} of {LARGEST:g} sigma"
        if self.reason:
            said += f": {self.reason}"
        if not self.explained and self.worst_index is not None:
            where = f"at {list(self.worst_index)} " if self.worst_index else ""
            values = _number(self.worst_actual), _number(self.worst_expected)
            said += f"; {where}it is {values[0]}, where the model makes {values[1]}"
        if self.wrong and self.ratio and self.labels_differ:
            said += f"; the largest of {self.labels_differ} rows is another one"
        return said


@dataclass(eq=False, repr=False)
class OutputsReport(Briefed):
    """
    What `softops.conformance.compare_outputs` found.

    Attributes
    ----------
    outputs
        The model's outputs in order, by name.
    between
        The tensors in between that were given, by name, in the graph's order.
    inputs
        dtype and shape by input name.
    samples, seed, dtype
        How the noise was estimated: from so many runs, drawn from what, and in which dtype a runtime was taken to
        compute; None where in the model's own.
    notes
        What a reader should know besides.
    """

    outputs: dict[str, JudgedTensor]
    between: dict[str, JudgedTensor] = field(default_factory=dict)
    inputs: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    samples: int = 8
    seed: int = 0
    dtype: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The gravest of the outputs' verdicts (`VERDICTS`); ``nothing compared`` where no output has an element."""
        found = [tensor.verdict for tensor in self.outputs.values() if 0 not in tensor.shape]
        return min(found, key=VERDICTS.index, default="nothing compared")

    @property
    def passed(self) -> bool:
        """Whether every output is equal or explained by rounding, and there was something to compare."""
        return self.verdict in ("explained by rounding", "equal")

    @property
    def wrong(self) -> bool:
        """Whether rounding does not explain an output."""
        return self.verdict in _WRONG

    @property
    def first_departure(self) -> JudgedTensor | None:
        """The first tensor, in the graph's order, that leaves the noise, of those given; None where none does."""
        every = (*self.between.values(), *self.outputs.values())
        return next((tensor for tensor in every if tensor.wrong), None)

    @property
    def brief(self) -> Brief:
        """A sentence for each output, and which tensor leaves the noise first."""
        sentences = [tensor.sentence for tensor in self.outputs.values()]
        if self.between and (first := self.first_departure) is not None:
            sentences.append(f"the first tensor to leave the noise is {first.name} ({first.node})")
        passed = self.passed or (False if self.wrong else None)
        return Brief("Outputs made elsewhere", self.verdict, passed, (), sentences + self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in what JSON knows; NaN and infinities as strings."""
        first = self.first_departure
        result: dict[str, Any] = plain(
            {
                "schema": 1,
                "passed": self.passed,
                "verdict": self.verdict,
                "first_departure": None if first is None else first.name,
                **{name: getattr(self, name) for name in ("samples", "seed", "dtype")},
                "inputs": {
                    name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in self.inputs.items()
                },
                "outputs": {name: fields_of(tensor) for name, tensor in self.outputs.items()},
                "between": {name: fields_of(tensor) for name, tensor in self.between.items()},
                "notes": self.notes,
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return as_json(self.to_dict())


def _number(value: Scalar | None) -> str:
    return f"{value:.9g}" if isinstance(value, float) else repr(value)
