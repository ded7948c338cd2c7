"""What a node of the softmax family should have made of the values that it got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset.nodes.node import attributes_of

from ..cases.build import Truth, truth_of
from ..cases.calls import Call
from ..cases.case import Case
from ..measure.bounds import JUDGED, Doubles, family_allowance
from ..verdicts.allowances import allowance, scores_of
from .cuts import FamilyNode

Array = NDArray[Any]


class Exact(NamedTuple):
    """The exact value of an output, in ``np.longdouble``, and how far each element may be from it."""

    value: Array
    allowed: Doubles


def exact_output(family: FamilyNode, inputs: Sequence[Array | None]) -> Exact | None:
    """
    Return the exact value of the output that ``family`` stands for; None where there is no rule for it.

    Parameters
    ----------
    inputs
        The values of the node's inputs, None for one left out.
    """
    row = family.operator
    if row.op_type in JUDGED:
        x = inputs[0]
        assert x is not None
        exact = row.exact(x, family.axis)
        return Exact(exact, family_allowance(row, x, exact, family.axis))
    asked = _asked(family, inputs)
    if asked is None:
        return None
    case, truth = asked
    allowed = allowance(case, truth, family.place)
    return None if allowed is None else Exact(truth.exact[family.place], allowed)


def undecided_labels(family: FamilyNode, inputs: Sequence[Array | None]) -> NDArray[np.bool_] | None:
    """Return the rows of a LinearClassifier whose label hangs on rounding; None where it cannot be told."""
    asked = _asked(family, inputs) if family.operator.op_type == "LinearClassifier" else None
    if asked is None:
        return None
    scores, error = scores_of(*asked)
    if scores.shape[-1] < 2:
        # One score stands for two labels.
        return np.asarray((np.abs(scores) <= error).any(-1))
    second, first = np.moveaxis(np.partition(scores, -2, axis=-1)[..., -2:], -1, 0)
    return np.asarray((first - second <= 2 * error.max(-1)) | np.isnan(scores).any(-1))


def _asked(family: FamilyNode, inputs: Sequence[Array | None]) -> tuple[Case, Truth] | None:
    row, x = family.operator, inputs[0]
    assert x is not None
    given = attributes_of(family.node)
    defaults = {name: entry.default for name, entry in row.attributes.items()}
    call = Call(list(inputs), {**defaults, **given}, max(len(family.node.output), 1))
    try:
        truth = truth_of(row, call)
    except (TypeError, ValueError):  # a form that only the backend knows
        return None
    case = Case(
        op=row.op_type,
        domain=row.domain,
        opset=row.since_version,
        dtype=x.dtype.name,
        axis=family.axis,
        shape=x.shape,
        family="given",
    )
    return case, truth
