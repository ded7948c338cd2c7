"""One composition to time: its input, how each library computes it, and what tells a wrong result."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..peers.peer import Prepared
from ..workloads import Array

Prepare = Callable[[int], Prepared]
"""For a number of threads, everything but the call itself."""


@dataclass(frozen=True)
class Task:
    """A composition.

    `x` makes the input of which a copy is timed; `libraries` is how each library prepares, by the name of its column,
    our own first; `wrong` says what is wrong with a result, or None.
    """

    name: str
    x: Callable[[], Array]
    libraries: Mapping[str, Prepare]
    wrong: Callable[[Any], str | None]
    rests: int = 1
    """So many times as long each library rests before its round as in other rows."""


AFTER_PRODUCTS = 20
"""The threads of BLAS and of onnxruntime stay awake for a tenth of a second after a product, waiting for more."""

MODULES = {"torch": "torch", "onnxruntime": "onnxruntime", "OpenVINO": "openvino"}
"""What has to be there for a library to be timed; NumPy is."""


def is_installed(library: str) -> bool:
    """Whether a library can be imported."""
    if library in MODULES:
        try:
            importlib.import_module(MODULES[library])
        except ImportError:
            return False
    return True
