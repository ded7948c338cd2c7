"""What is asked of a rule for allowances: one output of a case, with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator

from ..cases.build import Truth
from ..cases.case import Case
from ..measure.ulp import is_float, unit_roundoff

Array = NDArray[Any]

HALF = 2
"""Bytes of a half."""


@dataclass(frozen=True)
class Question:
    """A case with what is known of it, and one of its outputs."""

    case: Case
    row: Operator
    truth: Truth
    place: int

    @property
    def exact(self) -> Array:
        """The exact output."""
        return self.truth.exact[self.place]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self.truth.dtypes[self.place]

    @property
    def x(self) -> Array:
        """The first input, halves as float32."""
        x = self.truth.call.inputs[0]
        assert x is not None
        return x.astype(np.float32) if is_float(x.dtype) and x.dtype.itemsize == HALF else x

    @property
    def u(self) -> float:
        """The unit roundoff of the arithmetic: float32 for halves, float64 for integers."""
        if not is_float(self.dtype):
            return unit_roundoff(np.dtype(np.float64))
        return unit_roundoff(max(self.dtype, np.dtype(np.float32), key=lambda dtype: dtype.itemsize))

    def again(self, **attributes: Any) -> tuple[Array, ...]:
        """Evaluate the oracle with other attributes."""
        with np.errstate(all="ignore"):
            call = self.truth.call
            return self.row.evaluate(
                call.inputs, {**call.attributes, **attributes}, outputs=call.outputs, rounded=False
            )
