"""Version conversion from file to file: what lies outside the model's file is never read into memory."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from onnx import external_data_helper

from ..errors import ModelError
from ..graph.files import put_in_place, serialize, write_atomic
from ..graph.model import load_model
from ..graph.walk import bodies, tensors
from .version import converted, opset_of


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """
    What a conversion did.

    Attributes
    ----------
    source, target
        Opset of ai.onnx before and after.
    ir_version
        IR version of the result.
    nodes
        Number of nodes of the result, in subgraphs and functions too.
    added, removed
        Operators of which there are more, or fewer, nodes than before.
    data_files
        Size in bytes of each file of external data beside the result, by its name.
    """

    source: int
    target: int
    ir_version: int
    nodes: int
    added: Counter[str]
    removed: Counter[str]
    data_files: dict[str, int]


def convert_file(
    model: str | os.PathLike[str], target_opset: int, out: str | os.PathLike[str], *, overwrite: bool = False
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
    target_opset
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
    UnsupportedModelError, UnknownOpsetError, TypeError
        As for `convert_version`.
    OSError
        A file cannot be read or written.
    """
    source, target = Path(model), Path(out)
    _refuse_existing(target, overwrite)
    proto = load_model(source, external_data=False)
    data = _data_files(proto, source.parent)
    copies = {}
    if data and os.path.realpath(source.parent) != os.path.realpath(target.parent):
        copies = {source.parent / name: target.parent / name for name in data}
    for copy in copies.values():
        _refuse_existing(copy, overwrite)
    holders = [source.parent / name for name in data] + list(copies.values())
    if os.path.realpath(target) in map(os.path.realpath, holders):
        message = f"expected a path that holds no weights (got {target}, which the model's tensors lie in)"
        raise ValueError(message + "; choose another --out")
    opset, before = opset_of(proto), _operators(proto)
    proto = converted(proto, target_opset, own=True)
    content, after = serialize(proto), _operators(proto)
    _write(target, content, copies)
    return ConversionReport(
        source=opset,
        target=opset_of(proto),
        ir_version=proto.ir_version,
        nodes=after.total(),
        added=after - before,
        removed=before - after,
        data_files=data,
    )


def _write(target: Path, content: bytes, copies: dict[Path, Path]) -> None:
    made: list[Path] = []
    try:
        for original, copy in copies.items():
            if target.parent.is_dir():
                copy.parent.mkdir(parents=True, exist_ok=True)
            fresh = not copy.exists()
            with put_in_place(copy) as part:
                shutil.copyfile(original, part)
            made += [copy] * fresh
        write_atomic(target, content)
    except BaseException:
        for copy in made:
            copy.unlink(missing_ok=True)
        raise


def _data_files(model: onnx.ModelProto, folder: Path) -> dict[str, int]:
    """The size of each file that the model's tensors lie in, by its name in the model's folder."""
    sizes: dict[str, int] = {}
    inside = Path(os.path.realpath(folder))
    for tensor in tensors(model):
        if not external_data_helper.uses_external_data(tensor):
            continue
        info = external_data_helper.ExternalDataInfo(tensor)
        path = Path(os.path.realpath(folder / info.location))
        if not info.location or PurePosixPath(info.location).is_absolute() or not path.is_relative_to(inside):
            message = (
                f"expected external data within {folder} (tensor {tensor.name!r} lies in {info.location!r}); "
                "put it beside the model"
            )
            raise ModelError(message)
        if not path.is_file():
            message = (
                f"expected the external data of tensor {tensor.name!r} in {folder / info.location} (no such "
                "file); keep the files that were exported together in one folder"
            )
            raise ModelError(message)
        sizes[info.location] = path.stat().st_size
        end = (info.offset or 0) + (info.length or 0)
        if end > sizes[info.location]:
            message = (
                f"expected {end:,} bytes in {folder / info.location}, up to the end of tensor {tensor.name!r} "
                f"(got {sizes[info.location]:,}); export the model again"
            )
            raise ModelError(message)
    return sizes


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for body in bodies(model) for node in body.node)


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        message = f"{path} exists already; choose another --out, or overwrite it with --force"
        raise FileExistsError(message)
