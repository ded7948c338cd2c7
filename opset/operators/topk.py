"""How many elements a TopK takes: an attribute in version 1, an input since 10."""

from __future__ import annotations

from .axis import within
from .row import Attributes, Inputs, Operator


def wanted(row: Operator, inputs: Inputs, attributes: Attributes) -> tuple[int, int]:
    """
    Return the axis, counted from the start, and k.

    Raises
    ------
    ValueError
        k is negative, above the length of the axis, or not a vector of one number.
    numpy.exceptions.AxisError
        The axis lies outside [-r, r-1].
    """
    x = inputs[0]
    assert x is not None
    axis = within(attributes["axis"], x.ndim, row.name)
    if len(row.inputs) == 1:
        k = attributes["k"]
    else:
        given = inputs[1]
        assert given is not None
        if given.shape != (1,):
            message = f"{row.name} expected K of shape (1,) (got {given.shape}); pass one number in a vector"
            raise ValueError(message)
        k = int(given[0])
    # Of the attribute onnx's shape inference says that it is positive; of the input nobody does.
    least = 1 if len(row.inputs) == 1 else 0
    if not least <= k <= x.shape[axis]:
        message = (
            f"{row.name} expected k from {least} to {x.shape[axis]}, the length of axis {axis} (got {k}); "
            "ask for as many as there are"
        )
        raise ValueError(message)
    return axis, k
