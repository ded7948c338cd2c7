"""What the binary cross-entropy and its gradient share: their arguments, checked, as kernels take them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from ..arrays.addresses import Array, address, in_c_order
from ..arrays.foreign import as_array
from ..arrays.inputs import as_pair
from ..arrays.labels import Reduction, check_reduction
from ..rowwise.slices import Slice
from ..vector import KINDS, VECTOR_BYTES, Variable, load_scalar, when
from ..vector.memory import read


class Binary(NamedTuple):
    """Logits and targets of one shape in C order, and the weights of the positive ones."""

    x: Array
    targets: Array
    positive: Array
    """One number, or one for each logit (see `spread`)."""


def checked_binary(
    name: str,
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    pos_weight: npt.ArrayLike | None,
    reduction: Reduction,
) -> Binary:
    """The arguments of a binary cross-entropy, checked."""
    check_reduction(name, reduction)
    x, t = as_pair(name, logits, as_array(name, targets, "targets", "targets.filled(0)"))
    weights = (
        np.ones(1) if pos_weight is None else as_array(name, pos_weight, "pos_weight", "pos_weight.filled(1)")
    )
    if weights.dtype.kind not in "fiu" and weights.dtype not in KINDS:
        message = f"{name} takes a pos_weight of real numbers (got {weights.dtype}); convert with astype(np.float32)"
        raise TypeError(message)
    try:
        spread_out = np.broadcast_to(weights, x.shape) if weights.size != 1 else weights
    except ValueError:
        message = f"{name} takes a pos_weight that broadcasts to {x.shape}, one a class (got {weights.shape})"
        raise ValueError(message) from None
    return Binary(in_c_order(x), in_c_order(t), spread(spread_out))


def spread(numbers: Array) -> Array:
    """One number, or one for each logit, in float64 and C order, with room behind them for the lanes of a vector."""
    given = numbers.astype(np.float64).ravel()
    return given if given.size == 1 else np.append(given, np.zeros(VECTOR_BYTES // 4))


def places(numbers: Array) -> tuple[int, int]:
    """Where kernels find what is `spread`, and how many bytes lie from one to the next."""
    return address(numbers), 0 if numbers.size == 1 else 8


def spread_at(part: Slice, first: Any, place: Any, step: Any) -> Any:
    """The numbers of a slice, in float64; `first`: the index of the row's first."""
    real = place.constant(0.0, types.float64)
    numbers = Variable(load_scalar(real, place).spread(part.lanes))
    with when(step != 0):
        numbers.value = read(real, place + (first + part.first) * step, part.lanes)
    return numbers.value
