"""What a node should have made of the values that it got, and how far it may be off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from ..cases.build import Truth, truth_of
from ..cases.calls import Call, case_of
from ..cases.case import Case
from ..measure.bounds import JUDGED, family_allowance
from ..measure.ulp import Doubles
from ..verdicts.allowances import scores_of
from ..verdicts.rules import allowance
from .graph import FamilyNode

Inputs = Sequence[NDArray[Any] | None]
"""Of a node, None for one left out."""


class Exact(NamedTuple):
    """The exact value of an output, in ``np.longdouble``, and how far each element may be from it."""

    value: NDArray[Any]
    allowed: Doubles


def exact_output(family: FamilyNode, inputs: Inputs) -> Exact | None:
    """Return the exact value of the output that ``family`` stands for; None where there is no rule for it."""
    row = family.operator
    if row.op_type in JUDGED:
        x = inputs[0]
        assert x is not None
        exact = row.exact(x, family.axis)
        return Exact(exact, family_allowance(row, x, exact, family.axis))
    asked = _as_case(family, inputs)
    if asked is None:
        return None
    case, truth = asked
    allowed = allowance(case, truth, family.place)
    return None if allowed is None else Exact(truth.exact[family.place], allowed)


def undecided_labels(family: FamilyNode, inputs: Inputs) -> NDArray[np.bool_] | None:
    """Return the rows of a LinearClassifier whose label hangs on rounding; None where it cannot be told."""
    asked = _as_case(family, inputs) if family.operator.op_type == "LinearClassifier" else None
    if asked is None:
        return None
    scores, error = scores_of(*asked)
    if scores.shape[-1] < 2:
        # One score stands for two labels.
        return np.asarray((np.abs(scores) <= error).any(-1))
    return np.asarray((lead(scores) <= 2 * error.max(-1)) | np.isnan(scores).any(-1))


def lead(scores: NDArray[Any]) -> NDArray[Any]:
    """Return by how much the largest of each row is ahead of the second."""
    second, first = np.moveaxis(np.partition(scores, -2, axis=-1)[..., -2:], -1, 0)
    return np.asarray(first - second)


def _as_case(family: FamilyNode, inputs: Inputs) -> tuple[Case, Truth] | None:
    row, x = family.operator, inputs[0]
    assert x is not None
    defaults = {name: entry.default for name, entry in row.attributes.items()}
    given = attributes_of(family.node)
    call = Call(list(inputs), {**defaults, **given}, max(len(family.node.output), 1))
    try:
        truth = truth_of(row, call)
    except (TypeError, ValueError):  # a form that only the backend knows
        return None
    return case_of(row, x.dtype.name, x.shape, "given", axis=family.axis), truth
