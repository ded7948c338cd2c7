"""The last steps before an output, followed back to what they are taken from."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

from onnx import GraphProto, NodeProto, TensorProto

from softops.opset.expressions.passing import passes_on
from softops.opset.graph.scopes import Scope
from softops.opset.graph.walk import attribute_of

from .classifiers import CLASSIFIERS, is_classical, scores_of, transform_of
from .fuse import fuse_scope

ACTIVATIONS = ("Softmax", "LogSoftmax", "Hardmax", "Sigmoid")
DECISIONS = ("ArgMax", "TopK")
_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
# What changes no number: a Cast may be one of labels.
CARRIERS = ("Identity", "Cast", "Dropout", "Transpose", *_RESHAPES)
# Of these, the input that comes from the head.
_LOOK_UPS = {"Gather": 1, "ArrayFeatureExtractor": 1, "LabelEncoder": 0, "ZipMap": 0, "Normalizer": 0}
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


@dataclass(frozen=True)
class Chain:
    """
    The nodes of a head, from an output backwards.

    Attributes
    ----------
    nodes
        The last one first.
    source
        The value they start from: the logits. Of a classifier that makes something of its scores it is the
        output that holds what it makes.
    activation
        The activation among the nodes, if any; a classifier of ai.onnx.ml with what it makes of its scores.
    """

    nodes: tuple[NodeProto, ...]
    source: str
    activation: NodeProto | None = None

    @property
    def classifier(self) -> NodeProto | None:
        """The classifier whose scores have to be made anew, as they come out of it changed."""
        node = self.nodes[-1]
        return node if is_classical(node) and transform_of(node) != "NONE" else None


class Heads:
    """
    The heads of a graph.

    Parameters
    ----------
    scope
        The main graph, or one inside it.
    raw
        Whether a classifier counts as an activation that makes nothing of its scores, too.
    """

    def __init__(self, scope: Scope, *, raw: bool = False) -> None:
        self.scope, self._raw = scope, raw

    def behind(self, output: str) -> Chain | None:
        """
        Return the head before an output, None where there is none for certain.

        It is an activation, with ``Log`` after Softmax, or a decision (ArgMax, TopK), or a decision on an
        activation, and what looks labels up, moves values or changes their type after it. What is moved back or
        cast back behind an activation belongs to it. An activation may be spelled out, or lie in a classifier.
        """
        plain = self._follow(self.scope, output)
        if plain is not None and plain.activation is not None:
            return plain
        spelled = self._follow(self._fused, output)
        return spelled if spelled is not None and spelled.activation is not None else plain or spelled

    def end(self, output: str) -> tuple[str, NodeProto | None]:
        """The value that an output is of, seen through what passes it on, and the node that makes that value."""
        value = output
        while (node := self.scope.producers.get(value)) is not None and passes_on(self.scope, node):
            value = node.input[0]
        return value, node

    @cached_property
    def _fused(self) -> Scope:
        """The same graph with operators for what is spelled out; its values have the names that they had."""
        graph = GraphProto()
        graph.CopyFrom(self.scope.body)
        copy = Scope(
            graph,
            self.scope.opsets,
            typed=self.scope.typed_body,
            parent=self.scope.parent,
            opener=self.scope.opener,
            names=deepcopy(self.scope.names),
        )
        fuse_scope(copy, closed=False)
        return copy

    def _follow(self, scope: Scope, output: str) -> Chain | None:
        nodes: list[NodeProto] = []
        value = output
        while (node := scope.producers.get(value)) is not None:
            if is_classical(node):
                return _of_classifier(node, nodes, value, self._raw)
            if (inner := _log_sigmoid(scope, node)) is not None:
                return Chain((*nodes, *inner), str(inner[-1].input[0]))
            step = _step(scope, node, nodes)
            if step is None:
                break
            nodes.append(node)
            value = step
            if node.op_type in ACTIVATIONS:
                value = _unwrapped(value, nodes, scope)
                return Chain(tuple(nodes), value, node)
        ends = (*DECISIONS, "ZipMap")
        if not any(node.op_type in ends for node in nodes):
            return None
        while nodes[-1].op_type not in ends and not _widens(nodes[-1], scope):
            value = nodes.pop().output[0]
        return Chain(tuple(nodes), value)


def _of_classifier(node: NodeProto, behind: list[NodeProto], value: str, raw: bool) -> Chain | None:
    """The head that ends in a classifier: its label, what it makes of its scores, or what is made of raw ones."""
    scores = scores_of(node)
    kinds = {other.op_type for other in behind}
    if not scores:
        return None
    if node.op_type in CLASSIFIERS and value == node.output[0]:
        return Chain((*behind, node), scores)
    if raw or transform_of(node) != "NONE":
        return Chain((*behind, node), scores, node)
    return Chain(tuple(behind), scores) if kinds & {*DECISIONS, "ZipMap", "Normalizer"} else None


def _log_sigmoid(scope: Scope, node: NodeProto) -> tuple[NodeProto, ...] | None:
    """The nodes of -softplus(-x), which `fuse` makes of log(sigmoid(x)), the last first."""
    found = [node]
    for op_type in ("Softplus", "Neg"):
        before = scope.producers.get(found[-1].input[0]) if found[-1].input else None
        if before is None or before.op_type != op_type or before.domain not in _DOMAINS:
            return None
        found.append(before)
    return tuple(found) if node.op_type == "Neg" and node.domain in _DOMAINS else None


def _step(scope: Scope, node: NodeProto, after: list[NodeProto]) -> str | None:
    """Return the input to go on with, None where the head begins behind this node."""
    kinds = {other.op_type for other in after} - set(CARRIERS)
    if node.domain not in _DOMAINS or not node.input:
        return None
    if node.op_type in _LOOK_UPS:
        table = node.input[0] if _LOOK_UPS[node.op_type] else None
        return _input(node, kinds <= _LOOK_UPS.keys() and (table is None or _is_table(scope, table)))
    if node.op_type in DECISIONS:
        return _input(node, kinds.isdisjoint(DECISIONS))
    if node.op_type == "Log":
        return _input(node, not kinds)
    if node.op_type in ACTIVATIONS or node.op_type == "Cast":
        return _input(node, True)
    return _input(node, passes_on(scope, node))


def _is_table(scope: Scope, name: str) -> bool:
    """Whether a value is stored in the model, even where a caller may override it."""
    held = scope.body.initializer if isinstance(scope.body, GraphProto) else ()
    return scope.constant(name) is not None or any(tensor.name == name for tensor in held)


def _input(node: NodeProto, belongs: bool) -> str | None:
    return str(node.input[_LOOK_UPS.get(node.op_type, 0)]) if belongs else None


def _unwrapped(value: str, nodes: list[NodeProto], scope: Scope) -> str:
    """Step back over the moves and the Cast that are undone behind the activation."""
    behind = list(reversed(nodes[:-1]))  # the nearest first
    decided = next((at for at, node in enumerate(behind) if node.op_type in DECISIONS), len(behind))
    casts = [node for node in behind[:decided] if node.op_type == "Cast"]
    moves = [node for node in behind[:decided] if node.op_type in ("Transpose", *_RESHAPES)]
    while (node := scope.producers.get(value)) is not None:
        waiting = casts if node.op_type == "Cast" else moves
        if not waiting or not _is_undone(node, waiting[0], scope):
            break
        waiting.pop(0)
        nodes.append(node)
        value = node.input[0]
    return value


def _is_undone(node: NodeProto, after: NodeProto, scope: Scope) -> bool:
    """Whether what a node does before the activation, ``after`` takes back."""
    if node.op_type == "Cast":
        return bool(_element(scope, node.input[0]) == after.attribute[0].i)
    if "Transpose" in (node.op_type, after.op_type):
        order, back = _permutation(node), _permutation(after)
        both = node.op_type == after.op_type == "Transpose"
        return both and (order == back == [] or [order[at] for at in back] == sorted(order) != [])
    if node.op_type not in _RESHAPES or not passes_on(scope, node):
        return False
    target = scope.producers.get(after.input[1]) if after.op_type == "Reshape" else None
    if target is not None and target.op_type == "Shape" and list(target.input) == list(node.input[:1]):
        return not target.attribute
    before, later = (scope.value_type(name).shape for name in (node.input[0], after.output[0]))
    # With one length unknown in both, the others the same, it is the same: the number of elements is.
    return before is not None and later is not None and before == later and before.count(None) <= 1


def _widens(node: NodeProto, scope: Scope) -> bool:
    """Whether it is a Cast that changes no value, such as a decision on a half is taken on."""
    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return node.op_type == "Cast" and _element(scope, node.input[0]) in halves


def _permutation(node: NodeProto) -> list[int]:
    given = attribute_of(node, "perm")
    return [] if given is None else list(given.ints)


def _element(scope: Scope, name: str) -> int:
    return scope.element(name) or TensorProto.UNDEFINED
