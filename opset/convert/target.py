"""What a conversion is to reach: an opset, and an IR version, as asked for or as a release of a runtime reads them."""

from __future__ import annotations

import operator as python_operator
from typing import NamedTuple

import onnx

from ..errors import ModelError, UnknownOpsetError, UnsupportedModelError
from ..graph.domains import IR_WITH_OPSETS, imported_opset, opset_versions
from ..runtimes.releases import readable_by


class Target(NamedTuple):
    """Opset of ai.onnx; the IR version that was asked for; the newest one that a release of a runtime reads."""

    opset: int
    ir_version: int | None = None
    newest_ir_version: int | None = None
    release: str | None = None


def read_target(
    model: onnx.ModelProto, opset: int | None, ir_version: int | None, for_runtime: str | None
) -> Target:
    """
    Return what a model is to reach, checked.

    Without an opset it is the model's own, or the newest that the release reads.

    Raises
    ------
    TypeError
        Nothing was asked for, or what is no integer.
    UnknownOpsetError
        No opset that the installed onnx knows.
    ValueError
        No IR version, or what the release does not read; no such release (LookupError for one that is not known).
    UnsupportedModelError
        The release does not read the model's opset of ai.onnx.ml, which is not converted.
    """
    if opset is None and ir_version is None and for_runtime is None:
        message = (
            "expected a target, an integer or a release (got none); pass an opset (--opset), an IR version "
            "(--ir-version) or a runtime (--for-runtime)"
        )
        raise TypeError(message)
    own = checked_opset(opset_of(model), "the model")
    wanted = None if opset is None else checked_opset(opset, "the target")
    wanted_ir = None if ir_version is None else _checked_ir_version(ir_version)
    if for_runtime is None:
        return Target(own if wanted is None else wanted, wanted_ir)
    readable = readable_by(for_runtime)
    for what, got, limit in (
        ("opset", wanted, readable.opset),
        ("IR version", wanted_ir, readable.ir_version),
    ):
        if got is not None and got > limit:
            message = (
                f"expected an {what} up to {limit}, the newest that {for_runtime} reads (got {got}); leave it out, or "
                "choose a newer release"
            )
            raise ValueError(message)
    ml_opset = opset_versions(model.opset_import).get("ai.onnx.ml", 0)
    if ml_opset > readable.ml_opset:
        message = (
            f"expected ai.onnx.ml up to {readable.ml_opset}, the newest that {for_runtime} reads (the model imports "
            f"{ml_opset}); export it with that"
        )
        raise UnsupportedModelError(message)
    target = min(own, readable.opset) if wanted is None else wanted
    return Target(target, wanted_ir, readable.ir_version, for_runtime)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ai.onnx that a model imports; 1 for a model from before there were imports."""
    version = 1 if model.ir_version < IR_WITH_OPSETS else imported_opset(model)
    if version is None:
        message = "expected a model that imports ai.onnx (got none); there is nothing to convert in it"
        raise ModelError(message)
    return version


def checked_opset(opset: int, whose: str) -> int:
    """Return an opset as an integer that the installed onnx knows."""
    version, newest = _integer(opset, "the target opset", 13), onnx.defs.onnx_opset_version()
    if not 1 <= version <= newest:
        message = (
            f"expected an opset of ai.onnx from 1 to {newest}, the newest that onnx {onnx.__version__} knows "
            f"(got {version} for {whose}); choose one of these, or upgrade onnx"
        )
        raise UnknownOpsetError(message)
    return version


def _checked_ir_version(ir_version: int) -> int:
    version, newest = _integer(ir_version, "the IR version", 8), int(onnx.IR_VERSION)
    if not IR_WITH_OPSETS <= version <= newest:
        message = (
            f"expected an IR version from {IR_WITH_OPSETS} to {newest}, the newest that onnx {onnx.__version__} knows "
            f"(got {version}); choose one of these, or upgrade onnx"
        )
        raise ValueError(message)
    return version


def _integer(value: int, what: str, such_as: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        message = f"expected {what} as an integer (got {value!r}); pass for instance {such_as}"
        raise TypeError(message)
    return python_operator.index(value)
