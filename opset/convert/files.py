"""Version conversion from file to file: what lies outside the model's file is never read into memory."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx

from ..graph.external import check_data
from ..graph.files import serialize, taken_along, write_atomic
from ..graph.model import load_model
from ..graph.walk import bodies, tensors
from .target import opset_of, read_target
from .version import converted


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """
    What a conversion did.

    Attributes
    ----------
    source, target
        Opset of ai.onnx before and after.
    source_ir_version, ir_version
        IR version before and after.
    nodes
        Number of nodes of the result, in subgraphs and functions too.
    added, removed
        Operators of which there are more, or fewer, nodes than before.
    data_files
        Size in bytes of each file of external data beside the result, by its name.
    """

    source: int
    target: int
    source_ir_version: int
    ir_version: int
    nodes: int
    added: Counter[str]
    removed: Counter[str]
    data_files: dict[str, int]


def convert_file(
    model: str | os.PathLike[str],
    target_opset: int | None,
    out: str | os.PathLike[str],
    *,
    ir_version: int | None = None,
    for_runtime: str | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """
    Convert a model file to another opset of ai.onnx: `convert_version` from path to path.

    Tensors in files of their own stay there, whatever their size: where ``out`` lies in another folder than
    ``model``, these files are copied beside it under the names they have. Every file is whole or not there,
    and the model comes last.

    Parameters
    ----------
    model
        Path of the ``.onnx`` file.
    target_opset, ir_version, for_runtime
        As for `convert_version`.
    out
        Path of the file to write; ``model`` itself with ``overwrite``.
    overwrite
        Replace files that are there already.

    Raises
    ------
    FileExistsError
        ``out``, or a file of external data to be copied, is there already and ``overwrite`` is not set.
    ValueError
        ``out`` is a file of external data.
    ModelError
        As for `convert_version`; also where a file of external data is missing, too short, or lies outside
        the model's folder.
    UnsupportedModelError, UnknownOpsetError, TypeError, LookupError
        As for `convert_version`.
    OSError
        A file cannot be read or written.
    """
    source, target = Path(model), Path(out)
    _refuse_existing(target, overwrite)
    proto = load_model(source, external_data=False)
    data = check_data(tensors(proto), source.parent)
    copies = {}
    if data and os.path.realpath(source.parent) != os.path.realpath(target.parent):
        copies = {source.parent / name: target.parent / name for name in data}
    for copy in copies.values():
        _refuse_existing(copy, overwrite)
    holders = [source.parent / name for name in data] + list(copies.values())
    if os.path.realpath(target) in map(os.path.realpath, holders):
        message = f"expected a path that holds no weights (got {target}, which the model's tensors lie in)"
        raise ValueError(message + "; choose another --out")
    opset, source_ir_version, before = opset_of(proto), proto.ir_version, _operators(proto)
    proto = converted(proto, read_target(proto, target_opset, ir_version, for_runtime), own=True)
    content, after = serialize(proto), _operators(proto)
    with taken_along(copies if target.parent.is_dir() else {}, target.parent):
        write_atomic(target, content)
    return ConversionReport(
        source=opset,
        target=opset_of(proto),
        source_ir_version=source_ir_version,
        ir_version=proto.ir_version,
        nodes=after.total(),
        added=after - before,
        removed=before - after,
        data_files=data,
    )


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for body in bodies(model) for node in body.node)


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        message = f"{path} exists already; choose another --out, or overwrite it with --force"
        raise FileExistsError(message)
