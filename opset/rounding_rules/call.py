"""One call of a node in a noisy run, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nodes.arrays import Array
from ..nodes.node import Node, Operation, Value
from .precision import Precision, widened


@dataclass(frozen=True)
class Call:
    """
    A node, what it got and what it made of it, in float64 and without noise.

    Attributes
    ----------
    node, operation
        The node, and what it does.
    inputs, outputs
        Their exact values; None for those left out.
    precision
        That of its first output.
    """

    node: Node
    operation: Operation
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    precision: Precision

    @property
    def y(self) -> Array:
        """The first output."""
        made: Array = self.outputs[0]
        return made

    @property
    def alpha(self) -> float:
        """The standard deviation of one rounding, relative."""
        return self.precision.one

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(name, default)

    def run(self, *inputs: Value) -> list[Value]:
        """What the node makes of other inputs."""
        return run(self.operation, inputs)


def run(operation: Operation, inputs: Sequence[Value]) -> list[Value]:
    """The outputs of an operation, floats in float64."""
    with np.errstate(all="ignore"):
        made = operation.run(*inputs)
    return [widened(value) for value in (made if operation.many else [made])]


Rule = Callable[[Call], Any]
"""Gives the standard deviation of a node's own roundings: of its first output, or a list of those of all; None is 0."""
