"""The labels of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from ..nodes.arrays import Array

_INTEGERS = ("classlabels_ints", "classlabels_int64s")


def class_labels(attributes: Mapping[str, Any], label: str) -> Array:
    """
    Return the labels of the classes of a node called ``label``: int64, or objects for text.

    Raises
    ------
    ModelError
        Integers and text are given, or neither.
    """
    integers = next((attributes[name] for name in _INTEGERS if attributes.get(name)), None)
    text = attributes.get("classlabels_strings")
    if bool(integers) == bool(text):
        message = (
            f"expected one of {_INTEGERS[0]} and classlabels_strings in {label} "
            f"(got {'both' if text else 'neither'}); set one"
        )
        raise ModelError(message)
    return np.array(integers, np.int64) if integers else np.array(text, object)
