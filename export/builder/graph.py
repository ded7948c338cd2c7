"""A graph under construction: tensors with names that never clash, in the dtype and at the opset asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from softops.opset.graph.domains import IR_WITH_PLAIN_INITIALIZERS, ir_version_for
from softops.opset.graph.files import save_model
from softops.opset.graph.names import Names
from softops.opset.graph.walk import subgraphs

from .checks import check_model
from .floats import as_floats
from .options import RESERVED, Settings

VERSION_KEY = f"{RESERVED}version"
"""Key of the model's metadata that holds the version of softops that wrote it."""

ML = "ai.onnx.ml"

Shape = Sequence[str | int | None]


class Graph:
    """
    A graph under construction.

    A tensor is a string, made by `input`, `constant`, `weight` and `node`, and passed to further nodes.
    Inputs and outputs are called as documented, or as the option ``names`` says; whatever else has that
    name gets another one.

    Parameters
    ----------
    name
        Name of the graph.
    settings
        The checked options.
    dtype
        What the model takes and gives. Inside, floats are `compute`: float32 for the halves.
    """

    def __init__(self, name: str, settings: Settings, dtype: np.dtype[Any]) -> None:
        self.name = name
        self.settings = settings
        self.opset = settings.opset
        self.dtype = dtype
        self.compute = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
        self._inputs: dict[str, onnx.ValueInfoProto] = {}  # by tensor
        self._outputs: dict[str, onnx.ValueInfoProto] = {}
        self._constants: dict[str, NDArray[Any] | TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._names = Names()
        self._shared: dict[str, str] = {}
        self._domains: dict[str, int] = {}  # beside ai.onnx
        self._counts: dict[str, int] = {}

    def input(self, name: str, shape: Shape, dtype: DTypeLike | None = None) -> str:
        """Add an input; one of floats (no ``dtype``) is given back in `compute`."""
        tensor = self._fresh(name)
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype if dtype is None else dtype))
        self._inputs[tensor] = helper.make_tensor_value_info(self._public(name), element, shape)
        return self.wide(tensor) if dtype is None else tensor

    def constant(self, name: str, value: NDArray[Any] | TensorProto) -> str:
        """Add a tensor of the model, as it is; an array of objects holds strings."""
        tensor = self._fresh(name)
        self._constants[tensor] = value
        return tensor

    def shared(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant the first time; the same name gives the same tensor again."""
        if name not in self._shared:
            self._shared[name] = self.constant(name, value)
        return self._shared[name]

    def weight(self, name: str, value: NDArray[Any]) -> str:
        """Add an array of finite floats, stored in `dtype` and given back in `compute`."""
        stored = value if value.dtype == self.dtype else as_floats(name, value, self.dtype)
        return self.wide(self.constant(name, stored))

    def number(self, name: str, value: Any) -> str:
        """Add a constant of the graph's own, such as a temperature, in `compute`."""
        return self.constant(name, np.asarray(value, self.compute))

    def wide(self, tensor: str) -> str:
        """Return a tensor of `dtype` in `compute`."""
        return tensor if self.dtype == self.compute else self.cast(tensor, self.compute)

    def use(self, domain: str, version_: int) -> None:
        """Import a version of a domain, or a newer one."""
        self._domains[domain] = max(version_, self._domains.get(domain, 1))

    def count(self, what: str) -> int:
        """Return how often this was asked before: a number for what is added several times."""
        self._counts[what] = self._counts.get(what, -1) + 1
        return self._counts[what]

    def cast(self, tensor: str, dtype: DTypeLike, name: str | None = None) -> str:
        """Add a Cast."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        wide = name or f"{tensor}_{TensorProto.DataType.Name(element).lower()}"
        return self.node("Cast", tensor, name=wide, to=element)

    def node(
        self, op_type: str, *inputs: str | None, name: str | None = None, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node of one output; None stands for an input left out."""
        return self.split(op_type, *inputs, names=[name or op_type.lower()], domain=domain, **attributes)[0]

    def split(
        self, op_type: str, *inputs: str | None, names: Sequence[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs."""
        tensors = [self._fresh(name) for name in names]
        given = [tensor or "" for tensor in inputs]
        while given and not given[-1]:  # what is left out at the end is not written down
            del given[-1]
        self._nodes.append(helper.make_node(op_type, given, tensors, domain=domain, **attributes))
        return tensors

    def copy(self, node: onnx.NodeProto, given: Mapping[str, str], versions: Mapping[str, int]) -> list[str]:
        """
        Add a node of another model, written for this opset, and return its outputs; one left out is "".

        Parameters
        ----------
        node
            The node, of which a copy is taken.
        given
            The tensor for each name that the node reads, those that its subgraphs take from around them too.
        versions
            The versions of the domains of that model, of which the newest is kept.
        """
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        _rename(copied, given)
        copied.output[:] = [self._fresh(name) if name else "" for name in node.output]
        self._nodes.append(copied)
        for domain in (node.domain, *(inner.domain for graph in subgraphs(node) for inner in graph.node)):
            if domain not in ("", "ai.onnx"):
                self.use(domain, versions.get(domain, 1))
        return list(copied.output)

    def output(
        self,
        name: str,
        tensor: str,
        shape: Shape,
        dtype: DTypeLike | None = None,
        *,
        type_proto: onnx.TypeProto | None = None,
    ) -> None:
        """
        Make a tensor an output.

        One of floats (no ``dtype``) is rounded to `dtype`; the dtype object means strings. What is no tensor
        has its ``type_proto``.
        """
        if dtype is None and type_proto is None and self.dtype != self.compute:
            tensor = self.cast(tensor, self.dtype, name)
        if tensor in self._inputs or tensor in self._outputs or tensor in self._constants:
            tensor = self.node("Identity", tensor, name=name)
        if type_proto is not None:
            value = helper.make_value_info(self._public(name), type_proto)
        else:
            element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype if dtype is None else dtype))
            value = helper.make_tensor_value_info(self._public(name), element, shape)
        self._outputs[tensor] = value

    def finish(self, doc_string: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """Return the model, checked and written to ``path`` where the options name one."""
        model = self.model(doc_string, metadata)
        check_model(model, self.settings.for_runtime)
        if self.settings.path is not None:
            save_model(model, self.settings.path)
        return model

    def model(self, doc_string: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """Return the model, unchecked; ``metadata`` is softops' own, to which that of the user is added."""
        final = self._final_names()
        for node in self._nodes:
            _rename(node, final)
            node.output[:] = [final[tensor] if tensor else "" for tensor in node.output]
            node.name = next(filter(None, node.output))
        initializers = [_tensor(value, final[tensor]) for tensor, value in self._constants.items()]
        inputs = list(self._inputs.values())
        if self.settings.ir_version < IR_WITH_PLAIN_INITIALIZERS:
            inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in initializers]
        graph = helper.make_graph(self._nodes, self.name, inputs, list(self._outputs.values()), initializers)
        domains = dict(self._domains)
        if any(node.domain == ML for node in self._nodes):
            domains.setdefault(ML, 1)
        opsets = [
            helper.make_opsetid("", self.opset),
            *(helper.make_opsetid(*pair) for pair in domains.items()),
        ]
        settings = self.settings
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=max(settings.ir_version, self._ir_version()),
            producer_name="softops",
            producer_version=version("softops"),
            doc_string=doc_string if settings.doc_string is None else settings.doc_string,
        )
        helper.set_model_props(model, {VERSION_KEY: version("softops"), **metadata, **settings.metadata})
        return model

    def _ir_version(self) -> int:
        """Return the oldest IR version that the domains beside ai.onnx allow, 0 where there are none."""
        known = [helper.make_opsetid(ML, version_) for name, version_ in self._domains.items() if name == ML]
        return ir_version_for(known) if known else 0

    def _fresh(self, name: str) -> str:
        return self._names.fresh(name)

    def _public(self, name: str) -> str:
        return self.settings.names.get(name, name)

    def _final_names(self) -> dict[str, str]:
        """Return the name in the model of each tensor: inputs and outputs have theirs, the others evade them."""
        final = {tensor: value.name for tensor, value in (self._inputs | self._outputs).items()}
        self._check_names(list(final.values()))
        names = Names(final.values())
        for tensor in (*self._constants, *(t for node in self._nodes for t in node.output)):
            if tensor and tensor not in final:
                final[tensor] = names.fresh(tensor)
        return final

    def _check_names(self, public: list[str]) -> None:
        chosen = self.settings.names
        if len(set(public)) < len(public):
            message = (
                f"expected a name for each input and output (got {', '.join(public)}); choose other names"
            )
            raise ValueError(message)
        if missing := [name for name in chosen if chosen[name] not in public]:
            documented = [next((k for k, v in chosen.items() if v == name), name) for name in public]
            message = (
                f"expected names for inputs and outputs that exist (got {missing[0]!r}; "
                f"there are {', '.join(documented)}); ask for that output, or leave its name out"
            )
            raise ValueError(message)


def _tensor(value: NDArray[Any] | TensorProto, name: str) -> TensorProto:
    if isinstance(value, TensorProto):
        value.name = name
        return value
    return numpy_helper.from_array(value, name)


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Let a node read other names; in its subgraphs, those that they do not make themselves."""
    node.input[:] = [names.get(name, name) for name in node.input]
    for graph in subgraphs(node):
        own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
        own.update(name for inner in graph.node for name in inner.output)
        outer = {name: new for name, new in names.items() if name not in own}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)
