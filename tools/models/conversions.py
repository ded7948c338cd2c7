"""A model converted as far down and up as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import onnx

from softops.opset import UnsupportedModelError, convert_file
from softops.opset.convert.target import opset_of

LOWEST = 7
"""The oldest opset that onnxruntime promises to run."""


class Converted(NamedTuple):
    """From which opset to which, the file, None where the model is there already, and why it goes no further."""

    source: int
    target: int
    result: Path | None
    refusals: list[str]


def converted_up(path: Path, folder: Path) -> Converted:
    """Convert to the newest opset that the installed onnx knows."""
    source, newest = _opset(path), onnx.defs.onnx_opset_version()
    if source >= newest:
        return Converted(source, source, None, [])
    out = folder / "up.onnx"
    convert_file(path, newest, out)
    return Converted(source, newest, out, [])


def converted_down(path: Path, folder: Path) -> Converted:
    """Convert to the lowest opset that is not refused, found by halving."""
    source = _opset(path)
    refused, lowest, reason, result = LOWEST - 1, source, "", None
    while lowest - refused > 1:
        middle = (lowest + refused) // 2
        out = folder / str(middle) / "down.onnx"  # a folder each: files of tensors keep their names
        out.parent.mkdir()
        try:
            convert_file(path, middle, out)
        except UnsupportedModelError as error:
            refused, reason = middle, str(error)
        else:
            lowest, result = middle, out
    return Converted(source, lowest, result, [f"not to {refused}: {reason}"] if reason else [])


def _opset(path: Path) -> int:
    return opset_of(onnx.load(path, load_external_data=False))
