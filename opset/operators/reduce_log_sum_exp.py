"""ReduceLogSumExp: over axes that are an attribute up to opset 17 and an input since; in floats and in integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..oracle import arbitrary_precision, softmax
from ..oracle.arbitrary_precision import cut_off, to_odd
from .axis import within
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import LONG_INTEGERS, Attribute, Parameter, floats

_logsumexp = numba_kernel("logsumexp")


def _over_axes(function: Callable[..., NDArray[Any]], dtype: DTypeLike | None = None) -> Implementation:
    """Make an operator of ``function(x, axes, keepdims=...)``, x as ``dtype``; a copy of x over no axes."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x = inputs[0].astype(dtype or inputs[0].dtype, copy=False)
        axes = _reduced_axes(row, x.ndim, inputs, attributes)
        return (function(x, axes, keepdims=bool(attributes["keepdims"])) if axes else x.copy(),)

    return run


def _reduced_axes(row: Operator, rank: int, inputs: Inputs, attributes: Attributes) -> tuple[int, ...]:
    """
    Return the axes that a node reduces, in [0, rank); none at all where it is a no-op.

    Axes left out and an empty list mean the same: all, or none with ``noop_with_empty_axes``. No version
    forbids a negative axis; 11 is the first to speak of them.
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


def _kernel(x: NDArray[Any], axes: tuple[int, ...], *, keepdims: bool) -> NDArray[Any]:
    of_type = _of_integers if x.dtype.kind in "iu" else _logsumexp
    return np.asarray(of_type(x, axes, keepdims=keepdims))


def _of_integers(x: NDArray[Any], axes: tuple[int, ...], *, keepdims: bool) -> NDArray[Any]:
    """
    Cut max + log sum exp(x - max) off towards zero.

    The differences are taken among the integers, where they are exact; the logarithm is below 45.
    """
    limits = np.iinfo(x.dtype)
    if not all(x.shape[axis] for axis in axes):
        kept = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
        return np.full(kept, limits.min, x.dtype)
    largest = x.max(axes, keepdims=True)
    wide = np.dtype(f"uint{8 * x.dtype.itemsize}")
    below = largest.astype(wide) - x.astype(wide)  # modulo 2^bits, which the difference itself is below
    more = np.asarray(_logsumexp(-below.astype(np.float64), axes, keepdims=True))
    # Up to zero the cut raises the result, above zero it lowers it.
    negative = (largest < 0) & (largest.astype(np.float64) + more < 0)
    step = np.where(negative, np.ceil(more), np.floor(more)).astype(x.dtype)
    result = np.where(largest > limits.max - step, limits.max, largest + step).astype(x.dtype)
    return result if keepdims else result.squeeze(axes)


def _exact(x: NDArray[Any], axes: tuple[int, ...], *, keepdims: bool) -> NDArray[Any]:
    of_type = cut_off if x.dtype.kind in "iu" else to_odd
    return of_type(arbitrary_precision.logsumexp)(x, axes, keepdims=keepdims)


def _row(since_version: int) -> Operator:
    attributes = {"keepdims": Attribute("int", 1)}
    inputs = [Parameter("data", "T")]
    if since_version < 18:
        attributes["axes"] = Attribute("ints")
    else:
        attributes["noop_with_empty_axes"] = Attribute("int", 0)
        inputs.append(Parameter("axes", "int64", optional=True))
    allowed = floats(since_version >= 13)
    notes = [
        "Over an empty set: -inf; in an integer dtype, where ONNX leaves it undefined, the lowest value.",
        "An empty list of axes means the same as none given.",
    ]
    if since_version < 28:
        notes.append(
            "Integers: the exact result cut off towards zero, as by the Cast of the function body of "
            "version 18. onnxruntime adds the cut-off logarithm to the maximum: one less where the result is negative."
        )
    if since_version < 11:
        notes.append("Negative axes, of which the text does not speak, are counted from the end.")
    return Operator(
        op_type="ReduceLogSumExp",
        since_version=since_version,
        axis_rule="single",
        types={"T": allowed if since_version >= 28 else allowed + LONG_INTEGERS},
        inputs=tuple(inputs),
        outputs=(Parameter("reduced", "T"),),
        attributes=attributes,
        kernel=_over_axes(_kernel),
        reference=_over_axes(softmax.logsumexp, np.longdouble),
        reference_float64=_over_axes(_exact),
        notes=tuple(notes),
    )


ROWS: tuple[Operator, ...] = tuple(_row(version) for version in (1, 11, 13, 18, 28))
