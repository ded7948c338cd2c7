"""One case of the suite: what names it, and so what it can be built from again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray


class Material(NamedTuple):
    """
    What a case is made of: the model, and arrays by name.

    Inputs as they are fed, some on purpose not contiguous, and the oracle's outputs in the model's order, rounded once.
    """

    model: bytes
    feeds: dict[str, NDArray[Any]]
    expected: dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    An operator at one version, with a dtype, an axis, a shape, a family of inputs and a graph around it.

    Attributes
    ----------
    op, domain
        As in a node; the domain of ai.onnx is ``""``.
    opset
        The version of ``domain`` that the model imports.
    dtype
        Name of the first input's dtype.
    axis
        The node's axis; None where it is left to its default, or the operator has none.
    shape
        Of the first input.
    family
        Of the inputs: a name of `softops.conformance.cases.families.FAMILIES`.
    seed
        What the inputs are made from, together with all of the above.
    variant
        Which further attributes and inputs the node has; ``""`` for none.
    form
        The graph around the node: a name of `softops.conformance.cases.graphs.FORMS`; ``plain`` for none.
    setting
        What the runtime is asked for besides, such as ``level=basic``; ``""`` for nothing.
    """

    op: str
    domain: str = ""
    opset: int
    dtype: str
    axis: int | None = None
    shape: tuple[int, ...]
    family: str
    seed: int = 0
    variant: str = ""
    form: str = "plain"
    setting: str = ""

    @property
    def id(self) -> str:
        """
        All of it in one word, such as ``Softmax-13/float32/axis=1/2x3x4/gaussian-3/plain``.

        The axis is left out where it is the default, and so is a seed of 0.
        """
        operator = f"{self.domain}.{self.op}" if self.domain else self.op
        parts = [f"{operator}-{self.opset}", self.dtype]
        if self.axis is not None:
            parts.append(f"axis={self.axis}")
        parts += ["x".join(map(str, self.shape)) or "scalar", self.family]
        parts += [part for part in (self.variant, self.form, self.setting) if part]
        if self.seed:
            parts.append(f"seed={self.seed}")
        return "/".join(parts)
