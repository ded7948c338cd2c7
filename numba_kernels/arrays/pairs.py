"""Operators on two arrays of one shape."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..compile.kernels import Kernels
from .addresses import Array, address
from .axes import Axis, is_one_axis, over_axes
from .inputs import as_pair, check_axis, check_out
from .layout import is_plain, launch, run_elements, takes_directly


def two_rows_to_rows(
    name: str,
    kernels: Kernels,
    few_long_rows: Any,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    axis: Axis,
    out: Array | None,
    *more: int,
) -> Array:
    """Run a kernel that turns a row of `a` and the same row of `b` into a row of the result; `more` is handed on."""
    sources = as_pair(name, a, b)
    x = sources[0]
    if not is_one_axis(x, axis):
        return over_axes(
            name,
            sources,
            axis,
            out,
            lambda a, b, into: two_rows_to_rows(name, kernels, few_long_rows, a, b, -1, into, *more),
        )
    axis = check_axis(name, x, axis)
    if out is not None:
        check_out(name, out, x.shape, x.dtype)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    is_last = axis == x.ndim - 1
    moved = [
        y if is_last and is_plain(y) else np.ascontiguousarray(np.moveaxis(y, axis, -1)) for y in sources
    ]
    places = tuple(map(address, moved))
    in_place = is_last and (out is None or takes_directly(out, places))
    result = out if in_place and out is not None else np.empty(moved[0].shape, x.dtype)
    n = x.shape[axis]
    if few_long_rows.suits(moved[0]):
        few_long_rows(moved[0], address(result), places[1], *more)
    else:
        launch(kernels, x, x.size // n, address(result), (*places, *more), n)
    if in_place:
        return result
    back = np.moveaxis(result, -1, axis)
    if out is None:
        return np.ascontiguousarray(back)
    np.copyto(out, back)
    return out


def two_elementwise(
    name: str, kernels: Kernels, a: npt.ArrayLike, b: npt.ArrayLike, out: Array | None
) -> Array:
    """Run a kernel that turns a number of `a` and the same one of `b` into a number of the result."""
    return run_elements(name, kernels, as_pair(name, a, b), out)
