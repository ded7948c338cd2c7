"""What a hypothesis is shown: a case, what is known of it, and what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator

from ..cases.build import Truth
from ..cases.calls import Call, row_of
from ..cases.case import Case
from ..measure.errors import against_exact
from ..measure.ulp import Doubles, is_float
from ..verdicts.agreement import agree
from ..verdicts.lines import as_lines
from ..verdicts.rules import allowance

Array = NDArray[Any]
Wide = NDArray[np.longdouble]


@dataclass(frozen=True)
class Seen:
    """A case, its exact outputs, and the outputs to be explained, which have the right shapes and dtypes."""

    case: Case
    truth: Truth
    outputs: list[Array]

    @property
    def row(self) -> Operator:
        """The operator at its version."""
        return row_of(self.case)

    @property
    def x(self) -> Array:
        """The first input."""
        x = self.truth.call.inputs[0]
        assert x is not None
        return x

    @property
    def y(self) -> Array:
        """The first output."""
        return self.outputs[0]

    @cached_property
    def exact(self) -> Wide:
        """The exact value of the first output."""
        return self.truth.exact[0].astype(np.longdouble)

    @property
    def is_float(self) -> bool:
        """Whether the first output holds floats that are rounded."""
        return self.truth.exact[0].dtype == np.longdouble and is_float(self.y.dtype)

    @cached_property
    def allowed(self) -> Doubles:
        """How far each element of the first output may be off."""
        found = allowance(self.case, self.truth, 0)
        assert found is not None
        return found

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """The elements of the first output that are beyond their bound."""
        return np.asarray(against_exact(self.y, self.exact, self.allowed).used > 1)

    def lines(self, array: Array) -> Array:
        """Return an array as a matrix, a line of the operator in each row; of an elementwise one an element."""
        matrix = as_lines(self.row, self.case.axis, array)
        return matrix.reshape(-1, 1) if self.row.axis_rule is None else matrix

    def is_that_of(self, *inputs: Array | None, op: str = "", **attributes: Any) -> bool:
        """Whether the outputs are right for other inputs, attributes (None: left out) or another operator."""
        call = self.truth.call
        given = [*inputs, *call.inputs[len(inputs) :]]
        named = {k: v for k, v in {**call.attributes, **attributes}.items() if v is not None}
        case = replace(self.case, op=op or self.case.op)
        if "axis" in attributes:
            case = replace(case, axis=attributes["axis"])
        return self.is_right_in(case, call._replace(inputs=given, attributes=named))

    def is_right_in(self, case: Case, call: Call) -> bool:
        """Whether the outputs are right in another case."""
        with np.errstate(all="ignore"):
            exact = row_of(case).evaluate(call.inputs, call.attributes, outputs=call.outputs, rounded=False)
        return agree(case, self.truth._replace(call=call, exact=exact), self.outputs)

    def is_right_by(self, exact: tuple[Array, ...], *inputs: Array) -> bool:
        """Whether the outputs are within the bounds of the case, or of other inputs, around other exact values."""
        call = self.truth.call
        given = call._replace(inputs=[*inputs, *call.inputs[len(inputs) :]])
        return agree(self.case, self.truth._replace(call=given, exact=exact), self.outputs)


def right_outputs(case: Case, truth: Truth) -> list[Array]:
    """Return the exact outputs, rounded."""
    row = row_of(case)
    with np.errstate(all="ignore"):
        if not all(is_float(dtype) for dtype in truth.dtypes):  # the rounding of integers is the oracle's own
            call = truth.call
            return list(row.evaluate(call.inputs, call.attributes, outputs=call.outputs))
        return [
            row.rounding(value, dtype, truth.call.inputs) if value.dtype == np.longdouble else value
            for value, dtype in zip(truth.exact, truth.dtypes, strict=True)
        ]
