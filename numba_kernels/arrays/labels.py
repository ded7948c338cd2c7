"""What the losses on class labels share: labels, weights, and how losses become one."""

import operator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from ..compile.jit import kernel
from ..numerics.sums import two_sum
from ..vector import KINDS, default_arithmetic, load_scalar, restore_arithmetic
from .addresses import Array, address, in_c_order
from .foreign import as_array
from .inputs import as_floats, check_axis, check_out, in_float64

Reduction = Literal["mean", "sum", "none"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


@kernel
def _total(src: Any, n: Any) -> Any:
    """The sum of float64 numbers, compensated."""
    before = default_arithmetic(n)
    total, lost = 0.0, 0.0
    for i in range(n):
        total, error = two_sum(total, load_scalar(np.float64(0), src + i * 8))
        lost += error
    total += lost
    restore_arithmetic(before)
    return total


def sum_exactly(x: Array) -> float:
    """The sum of a float64 array in C order, as if in twice the precision; plain where it is not finite."""
    total: float = _total(address(x), x.size)
    return total if np.isfinite(total) else float(np.sum(x))


class Classified(NamedTuple):
    """Scores of classes along an axis; of every row its class, −1 where ignored, and its weight in float64."""

    x: Array
    axis: int
    labels: Array
    weights: Array


def classified(
    name: str,
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    axis: int,
    weight: npt.ArrayLike | None,
    ignore_index: int | None,
    reduction: Reduction,
    out: Array | None = None,
) -> Classified:
    """The arguments of a loss, checked."""
    check_reduction(name, reduction)
    scores = as_floats(name, x)
    axis = check_axis(name, scores, axis)
    if out is not None:
        check_out(name, out, scores.shape, scores.dtype)
    shape, classes = scores.shape[:axis] + scores.shape[axis + 1 :], scores.shape[axis]
    targets = checked_labels(name, labels, shape, classes, ignore_index, axis)
    return Classified(scores, axis, targets, _checked_weights(name, weight, classes, targets))


def check_reduction(name: str, reduction: Reduction) -> None:
    """Refuse an unknown one."""
    if reduction not in REDUCTIONS:
        message = f"{name} takes a reduction of {', '.join(REDUCTIONS)} (got {reduction!r})"
        raise ValueError(message)


def checked_labels(
    name: str,
    labels: npt.ArrayLike,
    shape: tuple[int, ...],
    classes: int,
    ignore_index: int | None,
    axis: int = -1,
) -> Array:
    """Class indices as contiguous int64, −1 where ignored, of rows of that shape; the scores have an axis more."""
    given = as_array(name, labels, "labels", "labels.filled(-1) and ignore_index=-1")
    if given.dtype.kind not in "iu":
        message = f"{name} takes integer labels (got {given.dtype}); convert with labels.astype(np.int64)"
        raise TypeError(message)
    if given.shape != shape:
        place = axis % (len(shape) + 1)
        cure = _cure_of_labels(given, (*shape[:place], classes, *shape[place:]), place)
        message = f"{name} takes one label for each row: shape {shape} (got {given.shape}); {cure}"
        raise ValueError(message)
    ignore = None if ignore_index is None else _checked_ignore_index(name, ignore_index)
    if ignore is None and (given.size == 0 or (given.min() >= 0 and given.max() < classes)):
        return in_c_order(given, np.int64)
    ignored = np.zeros(shape, bool) if ignore is None else given == ignore
    wrong = ((given < 0) | (given >= classes)) & ~ignored
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        message = (
            f"{name} takes labels from 0 to {classes - 1} (got {given[index]} at index {index}); "
            "pass ignore_index= for rows without a class"
        )
        raise ValueError(message)
    return in_c_order(np.where(ignored, np.int64(-1), given.astype(np.int64)))


def _cure_of_labels(given: Array, scores: tuple[int, ...], axis: int) -> str:
    """What to do about labels of another shape than the rows of scores."""
    others = [d for d in range(len(scores)) if scores[:d] + scores[d + 1 :] == given.shape]
    if others and given.ndim:
        last = others[-1] == len(scores) - 1
        return f"pass axis={-1 if last else others[-1]}, where the classes lie then"
    if given.ndim == 0:
        return f"pass an array of shape {scores[:axis] + scores[axis + 1 :]}, such as np.array([label]) for one row"
    if given.shape == scores:
        return "drop the class axis, with labels.argmax(axis) of one-hot rows"
    return "drop the class axis"


def _checked_ignore_index(name: str, ignore_index: Any) -> int:
    try:
        return operator.index(ignore_index)
    except TypeError:
        message = f"{name} takes one integer as ignore_index (got {ignore_index!r}); pass for instance -100, or None"
        raise TypeError(message) from None


def _checked_weights(name: str, weight: npt.ArrayLike | None, classes: int, labels: Array) -> Array:
    """The weight of every row in float64: its class's, 1 without weights, 0 where ignored."""
    if weight is None:
        return in_c_order(labels >= 0, np.float64)
    given = class_weights(name, weight, classes)
    return in_c_order(np.where(labels < 0, 0.0, np.append(given, 0.0)[labels]))


def class_weights(name: str, weight: npt.ArrayLike | None, classes: int) -> Array:
    """The weights of the classes in float64, 1 without any."""
    if weight is None:
        return np.ones(classes)
    given = in_float64(weight, as_array(name, weight, "weight", "weight.filled(value)"))
    is_float = given.dtype.kind == "f" or given.dtype in KINDS
    if given.shape != (classes,) or not is_float:
        cure = "convert with weight.astype(np.float32)" if given.dtype.kind in "iu" else "pass floats"
        cure = cure if given.shape == (classes,) else "pass a number for each class"
        got = f"{given.dtype} of shape {given.shape}"
        message = f"{name} takes {classes} float weights, one a class (got {got}); {cure}"
        raise ValueError(message)
    return given.astype(np.float64)


def checked_divisor(name: str, divisor: Any, reduction: Reduction) -> float | None:
    """What a mean is divided by instead of the sum of the weights, None where nothing is given."""
    if divisor is None:
        return None
    if reduction != "mean":
        message = f"{name} divides a mean (got divisor={divisor!r} and reduction={reduction!r}); pass reduction='mean'"
        raise ValueError(message)
    given = np.asarray(divisor)
    if given.shape != () or given.dtype.kind not in "fiu" or not 0 < float(given) < np.inf:
        message = f"{name} takes a positive number as divisor, of tokens for instance (got {divisor!r})"
        raise ValueError(message)
    return float(given)


def checked_upstream(
    name: str, dy: npt.ArrayLike | None, reduction: Reduction, shape: tuple[int, ...]
) -> Array:
    """The gradient with respect to the loss in float64: a number, or for "none" one for each row."""
    if dy is None:
        return np.ones(())
    given = as_array(name, dy, "dy", "dy.filled(0)")
    wanted = shape if reduction == "none" else ()
    if given.shape not in (wanted, ()):
        message = f"{name} takes a dy of shape {wanted}, that of the loss, or a number (got {given.shape})"
        raise ValueError(message)
    if given.dtype.kind not in "fiu" and given.dtype not in KINDS:
        message = f"{name} takes a dy of real numbers (got {given.dtype}); convert with dy.astype(np.float32)"
        raise TypeError(message)
    return given.astype(np.float64)


def row_scales(upstream: Array, weights: Array, reduction: Reduction, divisor: float | None) -> Array:
    """What the gradient of every row's loss is multiplied by; `weights`: what a mean divides by the sum of."""
    if reduction != "mean":
        return np.broadcast_to(upstream, weights.shape)
    total = sum_exactly(weights) if divisor is None else divisor
    return np.broadcast_to(upstream / total, weights.shape)


def reduce_losses(
    losses: Array, weights: Array, reduction: Reduction, dtype: np.dtype[Any], divisor: float | None = None
) -> Array:
    """Float64 losses to the result: each, their sum, or their mean by weights or a divisor, rounded once."""
    if reduction == "none":
        return losses.astype(dtype)
    total = sum_exactly(losses)
    if reduction == "mean":
        weight = sum_exactly(weights) if divisor is None else divisor
        total = total / weight if weight else float("nan")
    result: Array = np.asarray(total).astype(dtype)[()]
    return result
