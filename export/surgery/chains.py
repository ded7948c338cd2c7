"""The last steps before an output, followed back to what they are taken from."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto

from softops.opset.graph.walk import names_read, subgraphs

ACTIVATIONS = ("Softmax", "LogSoftmax", "Hardmax", "Sigmoid")
DECISIONS = ("ArgMax", "TopK")
_CARRIERS = ("Identity", "Cast")
# Of these, the input that comes from the head.
_LOOK_UPS = {"Gather": 1, "ArrayFeatureExtractor": 1, "LabelEncoder": 0, "ZipMap": 0}


@dataclass(frozen=True)
class Chain:
    """
    The nodes of a head, from an output backwards.

    Attributes
    ----------
    nodes
        The last one first.
    source
        The value they start from: the logits.
    """

    nodes: tuple[onnx.NodeProto, ...]
    source: str

    @property
    def activation(self) -> onnx.NodeProto | None:
        """The activation among the nodes, if any."""
        return next((node for node in self.nodes if node.op_type in ACTIVATIONS), None)


def follow(graph: onnx.GraphProto, output: str, types: dict[str, onnx.TypeProto]) -> Chain | None:
    """
    Return the head before an output, None where there is none for certain.

    It is an activation, with ``Log`` after Softmax, or a decision (ArgMax, TopK), or a decision on an
    activation, and what looks labels up or changes the type after it. The transposition, or the Cast to a
    wider type, that an activation stands between belongs to it.
    """
    producers = {name: node for node in graph.node for name in node.output if name}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    nodes: list[onnx.NodeProto] = []
    value = output
    while (node := producers.get(value)) is not None:
        step = _step(node, nodes, constants)
        if step is None:
            break
        nodes.append(node)
        value = step
        if node.op_type in ACTIVATIONS:
            value = _unwrapped(value, nodes, producers, types)
            return Chain(tuple(nodes), value)
    if not any(node.op_type in DECISIONS for node in nodes):
        return None
    while nodes[-1].op_type not in DECISIONS and not _widens(nodes[-1], types):
        value = nodes.pop().output[0]
    return Chain(tuple(nodes), value)


def _step(node: onnx.NodeProto, after: list[onnx.NodeProto], constants: set[str]) -> str | None:
    """Return the input to go on with, None where the head begins behind this node."""
    kinds = {other.op_type for other in after} - set(_CARRIERS)
    if node.domain not in ("", "ai.onnx", "ai.onnx.ml"):
        return None
    if node.op_type in _LOOK_UPS:
        table = node.input[0] if _LOOK_UPS[node.op_type] else None
        return _input(node, kinds <= _LOOK_UPS.keys() and (table is None or table in constants))
    if node.op_type in DECISIONS:
        return _input(node, kinds.isdisjoint(DECISIONS))
    if node.op_type == "Log":
        return _input(node, not kinds)
    if node.op_type == "Transpose":
        return _input(node, kinds <= {*DECISIONS, *_LOOK_UPS})
    return _input(node, node.op_type in (*ACTIVATIONS, *_CARRIERS))


def _input(node: onnx.NodeProto, belongs: bool) -> str | None:
    return str(node.input[_LOOK_UPS.get(node.op_type, 0)]) if belongs else None


def _unwrapped(
    value: str,
    nodes: list[onnx.NodeProto],
    producers: dict[str, onnx.NodeProto],
    types: dict[str, onnx.TypeProto],
) -> str:
    """Step back over the transposition and the Cast that are undone behind the activation."""
    for kind in ("Transpose", "Cast"):
        node = producers.get(value)
        after = next((other for other in reversed(nodes) if other.op_type == kind), None)
        if node is None or node.op_type != kind or after is None:
            continue
        undone = (
            _permutation(node) == _permutation(after)
            if kind == "Transpose"
            else _element(types, node.input[0]) == after.attribute[0].i
        )
        if undone:
            nodes.append(node)
            value = node.input[0]
    return value


def _widens(node: onnx.NodeProto, types: dict[str, onnx.TypeProto]) -> bool:
    """Whether it is a Cast that changes no value, such as a decision on a half is taken on."""
    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return node.op_type == "Cast" and _element(types, node.input[0]) in halves


def _permutation(node: onnx.NodeProto) -> list[int]:
    return [int(i) for attribute in node.attribute if attribute.name == "perm" for i in attribute.ints]


def _element(types: dict[str, onnx.TypeProto], name: str) -> int:
    return types[name].tensor_type.elem_type if name in types else TensorProto.UNDEFINED


def rename_reads(nodes: list[onnx.NodeProto], old: str, new: str) -> None:
    """Let nodes, and the subgraphs in them, read ``new`` instead of ``old``."""
    for node in nodes:
        if old not in names_read(node):
            continue
        node.input[:] = [new if name == old else name for name in node.input]
        for graph in subgraphs(node):
            rename_reads(list(graph.node), old, new)
            for value in graph.output:
                if value.name == old:
                    value.name = new
