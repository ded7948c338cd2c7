"""An existing model, opened for surgery: a copy to work on, checked before and after."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

from softops.opset import ModelError, ModelSource, UnsupportedModelError, load_model
from softops.opset.graph.by_onnx import check, check_types, errors_of_onnx, infer_unchecked
from softops.opset.graph.checker import skeleton
from softops.opset.graph.domains import IR_WITH_PLAIN_INITIALIZERS, imported_opset, opset_versions
from softops.opset.graph.external import external_tensors, is_external, place_of
from softops.opset.graph.files import MODEL_BYTES_MAX, save_beside_data, serialize
from softops.opset.graph.inference import infer_types
from softops.opset.graph.names import Names, names_of
from softops.opset.graph.scopes import Scope
from softops.opset.graph.walk import remove_stale_types

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
    inferred
        The model after shape inference, node for node the same.
    scope
        The main graph as it was opened; its names are those of the whole model.
    """

    model: onnx.ModelProto
    folder: Path | None
    inferred: onnx.ModelProto
    _fully_valid: bool
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = Scope(
            self.model.graph,
            opset_versions(self.model.opset_import),
            typed=self.inferred.graph,
            overridable=self.model.ir_version >= IR_WITH_PLAIN_INITIALIZERS,
            names=Names(names_of(self.model)),
        )

    def add_initializer(self, tensor: onnx.TensorProto) -> None:
        """Add a constant to the main graph, in the way of the model's IR version."""
        graph = self.model.graph
        graph.initializer.append(tensor)
        if self.model.ir_version < IR_WITH_PLAIN_INITIALIZERS:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))

    def finish(self, path: str | os.PathLike[str] | None) -> onnx.ModelProto:
        """Check the model, write it when ``path`` is given, and return it."""
        remove_stale_types(self.model.graph)
        small = _without_files(self.model)
        with errors_of_onnx(
            "expected a model that stays valid (onnx.checker of the result: {}); export it again"
        ):
            onnx.checker.check_model(serialize(small))
            if self._fully_valid:
                infer_unchecked(small, check_type=True, strict_mode=True)
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
    model = deepcopy(loaded) if loaded is source else loaded
    folder = Path(os.path.abspath(source)).parent if isinstance(source, str | os.PathLike) else None
    if folder is not None:
        for tensor in filter(is_external, model.graph.initializer):
            place_of(tensor, folder)  # raises where it leads out of the folder
    return opened_copy(model, folder)


def opened_copy(model: onnx.ModelProto, folder: Path | None) -> OpenModel:
    """Open a model that may be changed; its files of tensors lie in ``folder``."""
    _check_opset(model)
    small = _without_files(model)
    if small.ByteSize() > MODEL_BYTES_MAX:
        message = (
            f"expected a model under 2 GiB without tensors in other files (got {small.ByteSize():,} bytes); "
            "save it with its tensors in other files, and pass its path"
        )
        raise ModelError(message)
    serialized = serialize(small)
    check(serialized)
    try:
        check_types(small)
    except ModelError:
        valid = False  # operators that onnx does not know, types that contradict each other: not our doing
    else:
        valid = True
    try:
        inferred = infer_types(small)
    except ModelError:
        inferred = onnx.load_model_from_string(serialized)
    return OpenModel(model, folder, inferred, valid)


Edit = Callable[[Scope], list[NodeProto] | None]
"""Gives the nodes that shall stand in a scope; None where nothing changes."""


def edit_scopes(opened: OpenModel, edit: Edit) -> None:
    """Edit every scope of a model, subgraphs before the graph around them."""
    scopes = [opened.scope]
    for function in opened.model.functions:
        opsets = opset_versions(function.opset_import)
        if "" in opsets:
            where = f"function {function.name}"
            scopes.append(Scope(function, opsets, names=opened.scope.names, where=where))
    for scope in scopes:
        _edit(scope, edit)


def _edit(scope: Scope, edit: Edit) -> None:
    for node in scope.nodes:
        for inner in scope.subscopes(node):
            _edit(inner, edit)
    nodes = edit(scope)
    if nodes is not None:
        del scope.body.node[:]
        scope.body.node.extend(nodes)


def _without_files(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the tensors that lie in other files: it can be checked, whatever their size."""
    outside = [tensor.name for tensor in model.graph.initializer if is_external(tensor)]
    if len(outside) != len(external_tensors(model)):
        hidden = sorted(set(external_tensors(model)) - set(outside))
        message = (
            "expected tensors in other files only among the main graph's initializers "
            f"(got {hidden[0]!r} in a subgraph or as an attribute); save the model with its tensors inside"
        )
        raise UnsupportedModelError(message)
    return skeleton(model, lambda tensor: isinstance(tensor, TensorProto) and is_external(tensor))


def _check_opset(model: onnx.ModelProto) -> None:
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
