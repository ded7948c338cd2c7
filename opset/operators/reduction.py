"""Which dimensions a ReduceLogSumExp reduces: an attribute up to opset 17, an input since."""

from __future__ import annotations

from .axis import within
from .row import Attributes, Inputs, Operator


def reduced_axes(row: Operator, rank: int, inputs: Inputs, attributes: Attributes) -> tuple[int, ...]:
    """
    Return the axes that a node reduces, in [0, rank); none at all where it is a no-op.

    Axes left out and an empty list mean the same: all, or none with ``noop_with_empty_axes``. No version
    forbids a negative axis; 11 is the first to speak of them.

    Raises
    ------
    ValueError
        An axis is named twice, or the axes are no vector.
    numpy.exceptions.AxisError
        One lies outside [-r, r-1].
    """
    given = inputs[1] if len(row.inputs) > 1 else attributes["axes"]
    if given is not None and len(row.inputs) > 1 and given.ndim != 1:
        message = f"{row.name} expected axes of rank 1 (got shape {given.shape}); pass a vector, such as [-1]"
        raise ValueError(message)
    if given is None or len(given) == 0:
        return () if attributes.get("noop_with_empty_axes") else tuple(range(rank))
    axes = tuple(within(int(axis), rank, row.name) for axis in given)
    if len(set(axes)) < len(axes):
        message = (
            f"{row.name} expected each axis once (got {list(map(int, given))}); leave out the second one"
        )
        raise ValueError(message)
    return axes
