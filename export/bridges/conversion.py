"""An estimator to nodes of a graph, by skl2onnx: what it writes is put among ours, without ZipMap."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import compose

from softops.opset.errors import one_line, raise_interrupt
from softops.opset.graph.by_onnx import infer_unchecked
from softops.opset.graph.domains import opset_versions
from softops.opset.graph.walk import dead_values, names_read

from ..builder.graph import ML, Graph
from ..errors import ConversionError
from .mended import mended, own_converters
from .packages import bridge_of, load_skl2onnx, register_boosting

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


@dataclass(frozen=True)
class Block:
    """A tensor (N, width) of a graph; strings have the dtype object, and a width that is not known is None."""

    tensor: str
    width: int | None
    dtype: np.dtype[Any]


class Bridge:
    """
    What skl2onnx converts of one estimator, each part of it once.

    Attributes
    ----------
    wide
        Whether classifiers take float64 as well, where their converters can do that; transformers always do.
    used
        The classes of what was converted.
    packages
        By which packages, with their versions.
    """

    def __init__(self) -> None:
        self.wide = False
        self.used: list[str] = []
        self.packages = ""
        self._models: dict[tuple[int, str], onnx.ModelProto] = {}

    def convert(self, graph: Graph, estimator: Any, blocks: Sequence[Block], *, wide: bool) -> list[Block]:
        """
        Add what skl2onnx makes of a fitted estimator; return its outputs.

        Parameters
        ----------
        graph
            The graph so far.
        estimator
            A transformer or classifier.
        blocks
            What it takes: one matrix, or its columns one by one.
        wide
            Whether floats are handed to it as float64 where its converter can do that; else as float32.

        Raises
        ------
        MissingPackageError
            skl2onnx, or what it needs for this estimator, is not installed.
        ConversionError
            It has no converter, or the converter fails.
        """
        key = id(estimator), f"{wide} {[(b.width, b.dtype) for b in blocks]}"
        if key not in self._models:
            self._models[key] = _converted(estimator, blocks, graph.opset, wide=wide)
            self.used += [kind for kind in [type(estimator).__name__] if kind not in self.used]
            self.packages = max(self.packages, bridge_of(estimator), key=len)
        model = self._models[key]
        feeds = {
            value.name: block.tensor
            if block.dtype.kind != "f"
            else _as(graph, block.tensor, block.dtype, value.type.tensor_type.elem_type)
            for value, block in zip(model.graph.input, blocks, strict=True)
        }
        return _graft(graph, model, feeds)


def _converted(estimator: Any, blocks: Sequence[Block], opset: int, *, wide: bool) -> onnx.ModelProto:
    skl2onnx = load_skl2onnx(type(estimator).__name__)
    register_boosting(estimator)
    for dtype in FLOATS if wide else FLOATS[1:]:
        given = [Block(b.tensor, b.width, dtype) if b.dtype.kind == "f" else b for b in blocks]
        try:
            return _model(skl2onnx, mended(estimator, dtype), given, opset)
        except Exception as failure:  # converters raise whatever comes
            raise_interrupt(failure)
            error = failure
    raise _refused(skl2onnx, estimator, error) from error


def _as(graph: Graph, tensor: str, dtype: np.dtype[Any], element: int) -> str:
    wanted = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element))
    return tensor if wanted == dtype else graph.cast(tensor, wanted)


def _model(skl2onnx: Any, estimator: Any, blocks: Sequence[Block], opset: int) -> onnx.ModelProto:
    """Return the model for inputs of these types; one that onnxruntime has no kernels for counts as failed."""
    import onnxruntime
    from skl2onnx.common import data_types

    kinds = {
        "f8": data_types.DoubleTensorType,
        "f4": data_types.FloatTensorType,
        "i8": data_types.Int64TensorType,
        "b1": data_types.BooleanTensorType,
    }
    types = [
        (f"c{at}", kinds.get(block.dtype.str[1:], data_types.StringTensorType)([None, block.width]))
        for at, block in enumerate(blocks)
    ]
    functions, shapes = own_converters(estimator)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        model: onnx.ModelProto = skl2onnx.convert_sklearn(
            estimator,
            initial_types=types,
            target_opset={"": opset, ML: _ml_version(opset)},
            options=_options(estimator),
            custom_conversion_functions=functions,
            custom_shape_calculators=shapes,
        )
    _retype(model)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return model


def _options(estimator: Any) -> dict[Any, Any] | None:
    if hasattr(estimator, "classes_"):
        return {"zipmap": False}
    # The default locale of StringNormalizer, en_US.UTF-8, is not on every machine, nor needed for ASCII.
    if hasattr(estimator, "vocabulary_") and all(word.isascii() for word in estimator.vocabulary_):
        return {id(estimator): {"locale": "C"}}
    return None


def _retype(model: onnx.ModelProto) -> None:
    """Let outputs have the types that their nodes give: converters declare float64 for trees, which give float32."""
    given = {
        value.name: onnx.TypeProto.FromString(value.type.SerializeToString()) for value in model.graph.output
    }
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.ClearField("type")
    found = {value.name: value.type for value in infer_unchecked(model).graph.output}
    for value in model.graph.output:
        kind = found[value.name]
        known = kind.tensor_type.elem_type or kind.HasField("sequence_type")
        value.type.CopyFrom(kind if known else given[value.name])
        if known and not kind.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.CopyFrom(given[value.name].tensor_type.shape)


def _ml_version(opset: int) -> int:
    """Return the version of ai.onnx.ml that came with a version of ai.onnx (`onnx.helper.VERSION_TABLE`)."""
    return 3 if opset >= 16 else 2 if opset >= 11 else 1


def _refused(skl2onnx: Any, estimator: Any, error: Exception) -> ConversionError:
    kind = type(estimator).__name__
    said = one_line(error)
    if type(error).__name__ in ("MissingShapeCalculator", "MissingConverter"):
        cure = (
            f"give it one with skl2onnx.update_registered_converter({kind}, …), or fit another classifier: "
            "docs/sklearn.md lists those that are converted"
        )
        said = "it has none"
    else:
        cure = "docs/sklearn.md lists what is converted and what is not"
    message = (
        f"expected {kind} to have a converter of skl2onnx {skl2onnx.__version__} that works (got: {said[:300]}); "
        f"{cure}"
    )
    return ConversionError(message)


def _graft(graph: Graph, model: onnx.ModelProto, feeds: dict[str, str]) -> list[Block]:
    """Add the nodes of a model; of a ZipMap, which few runtimes take, what it maps."""
    prefix = f"bridge{graph.count('bridge')}_"
    versions = opset_versions(model.opset_import)
    model = compose.add_prefix(model, prefix)
    maps = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "ZipMap"}
    outputs = [maps.get(value.name, value.name) for value in model.graph.output]
    dead = dead_values(model.graph)
    nodes = [
        n for n in model.graph.node if n.op_type != "ZipMap" and not dead.issuperset(filter(None, n.output))
    ]
    needed = {name for node in nodes for name in names_read(node)} | set(outputs)
    given = {f"{prefix}{name}": tensor for name, tensor in feeds.items()}
    for tensor in model.graph.initializer:
        if tensor.name in needed:
            given[tensor.name] = graph.constant(tensor.name, tensor)
    for node in nodes:
        given.update(zip(node.output, graph.copy(node, given, versions), strict=True))
    kinds = {value.name: value.type.tensor_type for value in (*model.graph.output, *model.graph.value_info)}
    found = []
    for name in outputs:
        kind = kinds.get(name)
        dims = [] if kind is None else list(kind.shape.dim)
        width = dims[1].dim_value or None if len(dims) > 1 else None
        element = onnx.TensorProto.FLOAT if kind is None or not kind.elem_type else kind.elem_type
        found.append(Block(given[name], width, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element))))
    return found
