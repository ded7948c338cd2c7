"""What a model of others is fed: what lies beside it, or inputs like its own where these are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from softops.export.sources.arrays import read_npz

from ..noise.inputs import made
from ..noise.packages import TRAINED


def inputs_of(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of an .npz file of the name of the model, or such as it was trained on, if there are any."""
    beside = path.with_suffix(".npz")
    if beside.exists():
        return dict(read_npz(beside))
    makers = TRAINED.get(path.stem) or TRAINED.get(path.parent.name)
    return None if makers is None else made(makers, 0)
