"""The true labels of an evaluation set, from wherever they are named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

USUAL_NAMES = ("labels", "label", "y")


def true_labels(
    labels: Any, arrays: Mapping[str, NDArray[Any]], inputs: set[str], rows: int
) -> NDArray[Any] | None:
    """
    Return the true labels, shape (rows,); None where there are none.

    Parameters
    ----------
    labels
        As for `softops.conformance.evaluate`.
    arrays, inputs
        The dataset, and the names in it that are inputs of the model.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError, TypeError
        There is no such array, or it does not hold a label for each row.
    """
    if labels is None:
        name = next((name for name in USUAL_NAMES if name in arrays and name not in inputs), None)
        return None if name is None else _checked(arrays[name], name, rows)
    if not isinstance(labels, str | os.PathLike):
        return _checked(np.asarray(labels), "labels", rows)
    if isinstance(labels, str) and labels in arrays:
        return _checked(arrays[labels], labels, rows)
    if Path(labels).suffix != ".npy":
        message = (
            f"expected labels as an array of the dataset or a .npy file (got {os.fspath(labels)!r}, and arrays "
            f"{', '.join(arrays) or 'none'}); name one of these"
        )
        raise ValueError(message)
    with Path(labels).open("rb") as file:
        try:
            array = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            message = f"{labels}: expected a .npy file of a plain array (got another kind); write it with numpy.save"
            raise ValueError(message) from error
    return _checked(array, str(labels), rows)


def _checked(array: NDArray[Any], name: str, rows: int) -> NDArray[Any]:
    if array.dtype.kind not in "iuOSUT":
        message = f"expected {name} as integers or strings (got {array.dtype}); convert them"
        raise TypeError(message)
    if array.size != rows or (array.ndim and len(array) != rows):
        message = (
            f"expected {name} of shape [{rows}], a label for each row (got {list(array.shape)}); reshape them"
        )
        raise ValueError(message)
    return array.reshape(rows)
