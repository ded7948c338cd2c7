"""What `noise` finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..measure.brief import Brief, Briefed, Table
from ..measure.plain import as_json, plain
from .tensor_noise import ROW, TensorNoise

LOSS = 0.5
"""A node that takes no more digits than that is not worth a word."""


@dataclass(frozen=True)
class NodeNoise:
    """
    The digits that a tensor of a model has left.

    Attributes
    ----------
    tensor, node
        The tensor, and the node that makes it, in words.
    digits
        Significant decimal digits, in the root mean square; inf for what is exact.
    lost
        How many fewer than the worst of what the node reads.
    """

    tensor: str
    node: str
    digits: float
    lost: float


@dataclass(repr=False)
class NoiseReport(Briefed):
    """
    How far a right runtime may be from the exact values of a model, on given inputs.

    Attributes
    ----------
    outputs
        The model's outputs that are tensors, by name.
    kept
        Tensors in between that were asked for.
    nodes
        The digits of every tensor of floats, in the order of the graph.
    samples, seed, dtype
        How many noisy runs, what they were drawn by, and what all floats were taken to be held in; empty for the
        dtypes of the model.
    seconds
        How long it took.
    notes
        What the figures do not hold, in sentences.
    """

    outputs: dict[str, TensorNoise] = field(default_factory=dict)
    kept: dict[str, TensorNoise] = field(default_factory=dict)
    nodes: list[NodeNoise] = field(default_factory=list)
    samples: int = 8
    seed: int = 0
    dtype: str = ""
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def losing(self) -> list[NodeNoise]:
        """The nodes after which digits are lost, where numbers cancel: more than half a digit, the most first."""
        return sorted((node for node in self.nodes if node.lost > LOSS), key=lambda node: -node.lost)

    @property
    def lost_at(self) -> NodeNoise | None:
        """The node after which most digits are lost."""
        return next(iter(self.losing), None)

    @property
    def lost_digits(self) -> str:
        """After which node most digits are lost, in words; empty where none are."""
        lost = self.lost_at
        if lost is None:
            return ""
        return f"most digits are lost at {lost.tensor} ({lost.node}): {lost.lost:.1f}, which leaves {lost.digits:.1f}"

    @property
    def brief(self) -> Brief:
        """The figures of each output, and where most digits are lost."""
        computed = f", computed in {self.dtype}" if self.dtype else ""
        rows = [tensor.row for tensor in self.outputs.values()]
        sentences = [self.lost_digits] if self.lost_digits else []
        said = f"estimated from {self.samples} runs"
        return Brief(f"Rounding noise{computed}", said, None, [Table(ROW, rows)], sentences + self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, in what JSON knows; NaN and infinities as strings."""
        lost = self.lost_at
        result: dict[str, Any] = plain(
            {
                "schema": 1,
                "samples": self.samples,
                "seed": self.seed,
                "dtype": self.dtype,
                "seconds": self.seconds,
                "outputs": {name: _figures(found) for name, found in self.outputs.items()},
                "tensors": {name: _figures(found) for name, found in self.kept.items()},
                "nodes": [vars(node) for node in self.nodes],
                "lost_at": None if lost is None else vars(lost),
                "notes": self.notes,
            }
        )
        return result

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return as_json(self.to_dict())


def _figures(found: TensorNoise) -> dict[str, Any]:
    figures: dict[str, Any] = {"node": found.node, "dtype": found.dtype, "shape": list(found.shape)}
    if found.undecided is not None:
        figures["undecided"] = int(np.count_nonzero(found.undecided))
    if found.is_float:
        figures |= {
            "sigma": float(np.sqrt(np.mean(found.sigma**2))) if found.sigma.size else 0.0,
            "largest": found.largest,
            "relative": found.relative,
            "typical_relative": found.typical_relative,
            "ulp": found.ulp,
            "typical_ulp": found.typical_ulp,
            "digits": found.digits,
            "rtol": found.rtol,
            "atol": found.atol,
            "labels": None if found.labels is None else vars(found.labels),
        }
    return figures | {"hangs_on": list(found.hangs_on)}
