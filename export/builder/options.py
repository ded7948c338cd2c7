"""The options that every export function takes, read and checked in one place."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import helper

from softops.opset.graph.domains import ir_version_for
from softops.opset.runtimes.releases import readable_by

from .counts import check_axis, check_integer

OPSET_MIN = 7
"""The oldest opset that graphs are built for: from here on operators broadcast as NumPy does."""

OPSET_DEFAULT = 17

DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "float16", ml_dtypes.bfloat16))
"""What a model takes and gives; the halves are computed in float32 and rounded once."""

RESERVED = "softops."
"""Keys of the model's metadata that begin so are softops' own: see docs/export.md."""


class Options(TypedDict, total=False):
    """
    Options of every export function.

    Attributes
    ----------
    opset
        Version of the ai.onnx operators, 7 to the newest that the installed ``onnx`` knows; 17 by default.
        The graph is built for what the operators mean at that version, and the model's IR version is the
        oldest that the opset allows, so that old runtimes load it.
    for_runtime
        A runtime that has to load the model, such as ``"onnxruntime==1.17"``: picks the newest opset it
        knows, or checks that it knows ``opset`` where both are given. Where that release is the one that is
        installed, it has to have the kernels as well.
    dtype
        float32, float64, float16 or bfloat16: what the model takes and gives and what weights are rounded
        to; that of the weights by default. The halves are cast to float32, computed there, and rounded once
        at the outputs.
    names
        Names of inputs and outputs that shall differ from the documented ones: ``{"features": "x"}``.
    batch
        Name of the dynamic batch axis, or a fixed number of rows; ``"batch"`` by default.
    doc_string
        Description kept in the model; one line about its shape by default.
    metadata
        Further entries of the model's metadata, strings by string; keys that begin with ``softops.`` are
        softops' own.
    path
        Where to write the model as well. Nothing is written when anything fails.
    """

    opset: int
    for_runtime: str
    dtype: DTypeLike | None
    names: Mapping[str, str]
    batch: str | int
    doc_string: str | None
    metadata: Mapping[str, str]
    path: str | os.PathLike[str] | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options after their checks, with what follows from them."""

    opset: int
    ir_version: int
    dtype: np.dtype[Any] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    batch: str | int = "batch"
    doc_string: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    path: str | os.PathLike[str] | None = None
    for_runtime: str | None = None


def read_options(options: Options) -> Settings:
    """Return the options checked.

    Raises
    ------
    TypeError
        An option that does not exist, or one of a type that is not taken.
    LookupError
        A runtime or a release of it that is not known.
    ValueError
        An opset that is not known here or not to the runtime, a dtype the opset has no operators for, a
        name that is empty or given twice, a key of the metadata that is softops' own.
    """
    check_known(options, Options)
    opset, ir_version = _target(options.get("opset"), options.get("for_runtime"))
    dtype = options.get("dtype")
    batch = check_axis("batch", options.get("batch", "batch"))
    names = _strings("names", options.get("names", {}))
    if "" in names.values() or len(set(names.values())) < len(names):
        message = f"expected names that are different and not empty (got {dict(names)}); choose others"
        raise ValueError(message)
    metadata = _strings("metadata", options.get("metadata", {}))
    for key in metadata:
        if key.startswith(RESERVED) or not key:
            message = f"expected metadata under keys of your own (got {key!r}); choose another key"
            raise ValueError(message)
    doc_string: Any = options.get("doc_string")
    if doc_string is not None and not isinstance(doc_string, str):
        message = f"expected doc_string as text (got {type(doc_string).__name__}); pass a string"
        raise TypeError(message)
    return Settings(
        opset=opset,
        ir_version=ir_version,
        dtype=None if dtype is None else check_dtype(dtype, opset),
        names=names,
        batch=batch,
        doc_string=doc_string,
        metadata=metadata,
        path=options.get("path"),
        for_runtime=options.get("for_runtime"),
    )


def check_known(options: Mapping[str, Any], kind: type[Any]) -> None:
    """Raise TypeError unless every option is one of its kind's."""
    known = list(kind.__annotations__)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "leave it out"
            message = f"expected options among {', '.join(known)} (got {name!r}); {hint}"
            raise TypeError(message)


def check_dtype(dtype: DTypeLike, opset: int) -> np.dtype[Any]:
    """Return ``dtype`` as one of `DTYPES`, which the operators of ``opset`` take."""
    try:
        known = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        known = np.dtype(object)
    if known not in DTYPES:
        message = (
            f"expected dtype float32, float64, float16 or bfloat16 (got {dtype!r}); "
            "pass for instance dtype='float32'"
        )
        raise TypeError(message)
    if known == ml_dtypes.bfloat16 and opset < 13:
        message = (
            f"expected opset 13 or newer for bfloat16 (got {opset}); raise the opset, or pass another dtype"
        )
        raise ValueError(message)
    return known


def _target(opset: int | None, for_runtime: str | None) -> tuple[int, int]:
    """Return opset and IR version."""
    newest = onnx.defs.onnx_opset_version()
    limits = None if for_runtime is None else readable_by(for_runtime)
    if opset is None:
        opset = OPSET_DEFAULT if limits is None else min(limits.opset, newest)
    opset = _known_opset(opset, newest)
    ir_version = ir_version_for([helper.make_opsetid("", opset)])
    if limits is None:
        return opset, ir_version
    if opset > limits.opset:
        message = (
            f"expected an opset up to {limits.opset}, the newest that {for_runtime} reads (got {opset}); "
            "leave opset out, or choose a newer runtime"
        )
        raise ValueError(message)
    # The first releases read opsets that are newer than their IR version; the file is the same but for inputs.
    return opset, min(ir_version, limits.ir_version)


def _known_opset(opset: object, newest: int) -> int:
    opset = check_integer("opset", opset, OPSET_DEFAULT)
    if not OPSET_MIN <= opset <= newest:
        message = (
            f"expected an opset from {OPSET_MIN} to {newest} (got {opset}, which is not known here); "
            "choose one of these, or install a newer onnx"
        )
        raise ValueError(message)
    return opset


def _strings(option: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(x, str) for pair in value.items() for x in pair):
        message = f"expected {option} as a dict of strings (got {value!r}); pass for instance {{'a': 'b'}}"
        raise TypeError(message)
    return dict(value)
