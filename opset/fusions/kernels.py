"""The kernels, loaded when the first of them runs: whoever only reads graphs needs no compiler."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@cache
def kernels() -> ModuleType:
    """``softops.numba_kernels``."""
    from softops import numba_kernels

    return numba_kernels


@cache
def _products() -> tuple[Any, Any, Any]:
    from softops.numba_kernels.linear.few_rows import few_rows_product
    from softops.numba_kernels.linear.inputs import Layer
    from softops.numba_kernels.linear.product import product

    return Layer, product, few_rows_product


def layer_product(x: Array, weight: Array, bias: Array, shape: tuple[int, ...], *, few_rows: bool) -> Array:
    """x @ weight.T + bias of rows in C order, of one of the types that are computed in, by the kernels."""
    layer, product, few_rows_product = _products()
    multiply = few_rows_product if few_rows else product
    scores: Array = multiply(layer(x, weight, bias, shape, x.dtype))
    return scores
