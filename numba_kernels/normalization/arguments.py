"""What normalizations are given, as kernels take it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, address
from ..arrays.foreign import as_array
from ..arrays.inputs import as_floats, check_axis, check_out
from ..arrays.layout import bits_of, is_plain, launch, takes_directly
from ..compile.kernels import Kernels


class Rows(NamedTuple):
    """An array as contiguous rows of n numbers."""

    x: Array
    axis: int
    n: int

    @property
    def lines(self) -> int:
        """How many rows there are."""
        return self.x.size // self.n


def rows_of(name: str, given: npt.ArrayLike, axis: int) -> Rows:
    """The rows from an axis on."""
    x = as_floats(name, given)
    axis = check_axis(name, x, axis)
    x = x if is_plain(x) else np.ascontiguousarray(x)
    return Rows(x, axis, math.prod(x.shape[axis:]))


def as_factors(name: str, what: str, given: npt.ArrayLike | None, rows: Rows, value: float) -> Array:
    """A row of factors in the dtype of x; `value` in all places where none is given."""
    shape = rows.x.shape[rows.axis :]
    if given is None:
        return np.full(shape, value, rows.x.dtype)
    factors = given if isinstance(given, np.ndarray) else as_array(name, given)
    if factors.dtype != rows.x.dtype:
        message = (
            f"{name} takes a {what} of the dtype of x, {rows.x.dtype} (got {factors.dtype}); "
            f"convert with {what}.astype(x.dtype)"
        )
        raise TypeError(message)
    if factors.shape == shape and is_plain(factors):
        return factors
    try:
        return np.ascontiguousarray(np.broadcast_to(factors, shape))
    except ValueError:
        message = (
            f"{name} takes a {what} that broadcasts to the shape of x from axis on, {shape} "
            f"(got {factors.shape}); reshape it or choose another axis"
        )
        raise ValueError(message) from None


def check_epsilon(name: str, epsilon: float) -> None:
    """Refuse what no variance can be raised by."""
    if not epsilon >= 0:
        message = f"{name} takes an epsilon of 0 or more (got {epsilon!r}); 1e-5 is usual"
        raise ValueError(message)


def run(
    name: str,
    kernels: Kernels,
    rows: Rows,
    factors: Sequence[Array],
    epsilon: float,
    out: Array | None,
    statistics: Sequence[Array | None] = (),
) -> Array:
    """Run a kernel for each row; it takes (result, statistics …) and (x, factors …, epsilon), 0 for None."""
    if out is not None:
        check_out(name, out, rows.x.shape, rows.x.dtype)
    sources = (address(rows.x), *map(address, factors))
    result = out if out is not None and takes_directly(out, sources) else np.empty(rows.x.shape, rows.x.dtype)
    places = tuple(0 if each is None else address(each) for each in statistics)
    if rows.x.size:
        launch(kernels, rows.x, rows.lines, (address(result), *places), (*sources, bits_of(epsilon)), rows.n)
    if out is None or result is out:
        return result
    np.copyto(out, result)
    return out
