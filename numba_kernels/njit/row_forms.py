"""One row at a time, for a user's loop over rows; inside jitted code without memory of its own (`row_overloads`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from ..arrays.inputs import as_floats, check_out
from ..elementwise.sigmoid import sigmoid
from ..hardmax import hardmax
from ..log_softmax import log_softmax
from ..logsumexp import logsumexp
from ..softmax import softmax

Array = npt.NDArray[Any]


def _run(name: str, operator: Callable[..., Any], x: npt.ArrayLike, out: Array) -> None:
    """The row form of an operator, from Python."""
    row = _as_row(name, x)
    check_out(name, out, row.shape, row.dtype)
    operator(row, out=out)


def _as_row(name: str, x: npt.ArrayLike) -> Array:
    row = as_floats(name, x)
    if row.ndim != 1:
        message = f"{name} takes one row, an array of rank 1 (got shape {row.shape}); pass x[i]"
        raise ValueError(message)
    return row


def softmax_row(x: npt.ArrayLike, out: Array) -> None:
    """Softmax of one row, written to `out`: `softmax` for a loop over rows, above all inside jitted code.

    Parameters
    ----------
    x : array, shape (n,)
        The scores, any stride.
    out : array, shape (n,)
        Where to write, of the dtype of `x`; may be `x`. Nothing is allocated where it is contiguous.

    Returns
    -------
    None; the result is in `out`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another rank or length, or a read-only `out`.

    Notes
    -----
    Bits, special values and error bound are those of `softmax`. Inside jitted code a wrong dtype or rank is a
    ``numba.TypingError``, while the caller is compiled, and float16 and bfloat16 are not taken.
    """
    _run("softmax_row", softmax, x, out)


def log_softmax_row(x: npt.ArrayLike, out: Array) -> None:
    """Logarithm of the softmax of one row, written to `out`: `log_softmax` for a loop over rows.

    Parameters
    ----------
    x : array, shape (n,)
        The scores, any stride.
    out : array, shape (n,)
        Where to write, of the dtype of `x`; may be `x`. Nothing is allocated where it is contiguous.

    Returns
    -------
    None; the result is in `out`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another rank or length, or a read-only `out`.

    Notes
    -----
    Bits, special values and error bound are those of `log_softmax`. Inside jitted code a wrong dtype or rank is a
    ``numba.TypingError``, while the caller is compiled, and float16 and bfloat16 are not taken.
    """
    _run("log_softmax_row", log_softmax, x, out)


def hardmax_row(x: npt.ArrayLike, out: Array) -> None:
    """One at the first maximum of one row, zero elsewhere, written to `out`: `hardmax` for a loop over rows.

    Parameters
    ----------
    x : array, shape (n,)
        The scores, any stride.
    out : array, shape (n,)
        Where to write, of the dtype of `x`; may be `x`. Nothing is allocated where it is contiguous.

    Returns
    -------
    None; the result is in `out`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another rank or length, or a read-only `out`.

    Notes
    -----
    Bits, special values and error bound are those of `hardmax`. Inside jitted code a wrong dtype or rank is a
    ``numba.TypingError``, while the caller is compiled, and float16 and bfloat16 are not taken.
    """
    _run("hardmax_row", hardmax, x, out)


def sigmoid_row(x: npt.ArrayLike, out: Array) -> None:
    """The logistic function of the numbers of one row, written to `out`: `sigmoid` for a loop over rows.

    Parameters
    ----------
    x : array, shape (n,)
        The scores, any stride.
    out : array, shape (n,)
        Where to write, of the dtype of `x`; may be `x`. Nothing is allocated where it is contiguous.

    Returns
    -------
    None; the result is in `out`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another rank or length, or a read-only `out`.

    Notes
    -----
    Bits, special values and error bound are those of `sigmoid`. Inside jitted code a wrong dtype or rank is a
    ``numba.TypingError``, while the caller is compiled, and float16 and bfloat16 are not taken.
    """
    _run("sigmoid_row", sigmoid, x, out)


def logsumexp_row(x: npt.ArrayLike) -> Any:
    """Logarithm of the sum of exponentials of one row: `logsumexp` for a loop over rows.

    Parameters
    ----------
    x : array, shape (n,)
        The numbers, any stride; a contiguous row is read where it lies, another is copied.

    Returns
    -------
    number of the dtype of `x`

    Raises
    ------
    TypeError
        Another dtype.
    ValueError
        Another rank.

    Notes
    -----
    Bits, special values and error bound are those of `logsumexp`. Inside jitted code a wrong dtype or rank is a
    ``numba.TypingError``, while the caller is compiled, and float16 and bfloat16 are not taken.
    """
    return logsumexp(_as_row("logsumexp_row", x))
