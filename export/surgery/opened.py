"""An existing model, opened for surgery: a copy to work on, checked before and after."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import helper

from softops.opset import ModelError, ModelSource, UnsupportedModelError, load_model
from softops.opset.errors import one_line
from softops.opset.graph.domains import imported_opset
from softops.opset.graph.files import MODEL_BYTES_MAX, serialize
from softops.opset.graph.model import external_tensors

from .external import save_beside_data
from .liveness import IR_WITH_PLAIN_INITIALIZERS, all_names, drop_stale_types

OPSET_OLDEST = 7
"""The oldest opset whose models are worked on: from here on elementwise operators broadcast."""


@dataclass
class OpenModel:
    """
    A copy of a model, and what surgery has to know of it.

    Attributes
    ----------
    model
        The copy; tensors in other files are not read.
    folder
        Where its files lie; None for a model in memory.
    opset
        The version of ai.onnx that it imports.
    types
        The type of every value of the main graph whose type is known.
    inferred
        The model after shape inference, node for node the same.
    """

    model: onnx.ModelProto
    folder: Path | None
    opset: int
    inferred: onnx.ModelProto
    _fully_valid: bool
    where: str = "the graph"
    types: dict[str, onnx.TypeProto] = field(init=False)
    _taken: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.types = value_types(self.inferred.graph)
        self._taken = set(all_names(self.model))

    def fresh(self, name: str) -> str:
        """Return ``name``, or the next one like it that nothing in the model bears, and take it."""
        chosen, count = name, 0
        while chosen in self._taken:
            count += 1
            chosen = f"{name}_{count}"
        self._taken.add(chosen)
        return chosen

    def add_initializer(self, tensor: onnx.TensorProto) -> None:
        """Add a constant to the main graph, in the way of the model's IR version."""
        graph = self.model.graph
        graph.initializer.append(tensor)
        if self.model.ir_version < IR_WITH_PLAIN_INITIALIZERS:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))

    def finish(self, path: str | os.PathLike[str] | None) -> onnx.ModelProto:
        """Check the model, write it when ``path`` is given, and return it."""
        drop_stale_types(self.model.graph)
        small = skeleton(self.model)
        onnx.checker.check_model(serialize(small), full_check=self._fully_valid)
        if path is not None:
            save_beside_data(self.model, path, self.folder)
        return self.model


def open_model(source: ModelSource) -> OpenModel:
    """
    Return a copy of the model to work on; ``source`` itself is left alone.

    Raises
    ------
    ModelError
        Not a model, or not a valid one, or one of an opset that is not worked on.
    OSError
        The file cannot be read.
    TypeError
        ``source`` is neither a path, bytes nor a ModelProto.
    """
    loaded = load_model(source, external_data=False)
    model = loaded
    if loaded is source:
        model = onnx.ModelProto()
        model.CopyFrom(loaded)
    folder = Path(os.path.abspath(source)).parent if isinstance(source, str | os.PathLike) else None
    return opened_copy(model, folder)


def opened_copy(model: onnx.ModelProto, folder: Path | None) -> OpenModel:
    """Open a model that may be changed; its files of tensors lie in ``folder``."""
    opset = _opset(model)
    small = skeleton(model)
    if small.ByteSize() > MODEL_BYTES_MAX:
        message = (
            f"expected a model under 2 GiB without tensors in other files (got {small.ByteSize():,} bytes); "
            "save it with its tensors in other files, and pass its path"
        )
        raise ModelError(message)
    serialized = serialize(small)
    try:
        onnx.checker.check_model(serialized)
    except (onnx.checker.ValidationError, ValueError) as error:
        message = f"expected a valid model (onnx.checker: {one_line(error)}); export it again"
        raise ModelError(message) from error
    try:
        onnx.checker.check_model(serialized, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError):
        valid = False  # operators that onnx does not know, types that contradict each other: not our doing
    else:
        valid = True
    try:
        inferred = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(serialized), data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError):
        inferred = onnx.load_model_from_string(serialized)
    return OpenModel(model, folder, opset, inferred, valid)


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    Return the model without the tensors that lie in other files: they become inputs of the graph.

    What is left is a valid model that can be checked, whatever the size of the tensors.
    """
    outside = [tensor for tensor in model.graph.initializer if external_tensors_of(tensor)]
    if len(outside) != len(external_tensors(model)):
        hidden = sorted(set(external_tensors(model)) - {tensor.name for tensor in outside})
        message = (
            "expected tensors in other files only among the main graph's initializers "
            f"(got {hidden[0]!r} in a subgraph or as an attribute); save the model with its tensors inside"
        )
        raise UnsupportedModelError(message)
    if not outside:
        return model
    small = onnx.ModelProto()
    small.CopyFrom(model)
    del small.graph.initializer[:]
    inputs = {value.name for value in small.graph.input}
    for tensor in model.graph.initializer:
        if not external_tensors_of(tensor):
            small.graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            small.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return small


def external_tensors_of(tensor: onnx.TensorProto) -> bool:
    """Whether the tensor's values lie in another file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def value_types(graph: onnx.GraphProto) -> dict[str, onnx.TypeProto]:
    """Return the types of a graph's own values, as far as they are written down."""
    types = {
        tensor.name: helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        for tensor in graph.initializer
    }
    types |= {value.name: value.type for value in (*graph.value_info, *graph.output, *graph.input)}
    return types


def _opset(model: onnx.ModelProto) -> int:
    opset = imported_opset(model)
    if opset is None:
        # A model of other domains alone imports no ai.onnx: take the one its IR version came with.
        versions = {version for _, ir, version, *_ in helper.VERSION_TABLE if ir <= model.ir_version}
        opset = max(versions, default=OPSET_OLDEST)
        model.opset_import.append(helper.make_opsetid("", opset))
    newest = onnx.defs.onnx_opset_version()
    if not OPSET_OLDEST <= opset <= newest:
        message = f"expected a model of opset {OPSET_OLDEST} to {newest} (got {opset}); " + (
            "install a newer onnx" if opset > newest else "export it again for a newer opset"
        )
        raise UnsupportedModelError(message)
    return opset
