"""What says how sparse an entmax is."""

from typing import Any

import numpy as np


def checked_alpha(name: str, alpha: Any) -> float:
    """A number from 1 to 2."""
    given = np.asarray(alpha)
    if given.shape != () or given.dtype.kind not in "fiu":
        message = f"{name} takes one number as alpha (got {alpha!r})"
        raise TypeError(message)
    if not 1.0 <= float(given) <= 2.0:
        message = f"{name} takes an alpha from 1, softmax, to 2, sparsemax (got {alpha!r})"
        raise ValueError(message)
    return float(given)
