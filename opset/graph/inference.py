"""
The types of a model's values, as far as they can be told.

onnx's shape inference goes forwards only, knows next to nothing of ai.onnx.ml, and believes what a model declares.
Here what an operator gives is trusted over what is declared of it, a length below 0 is unknown, and what is declared
behind an operator that keeps type and shape is carried back to what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from itertools import chain

import onnx
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, TypeProto

from ..errors import ModelError
from .by_onnx import infer
from .checker import plainly_named, skeleton
from .domains import canonical_domain, opset_versions, schema_of
from .external import is_external
from .types import ValueType, contradiction, declared_type, forget_negative_lengths, value_info, value_types
from .walk import bodies, subgraphs

# Operators of one input whose shape the first output has: all but those that ai.onnx calls elementwise.
_KEEPS_SHAPE = {
    *(
        "Softmax",
        "LogSoftmax",
        "Hardmax",
        "LpNormalization",
        "MeanVarianceNormalization",
        "Normalizer",
        "Scaler",
    ),
    *(
        "Identity",
        "Cast",
        "CastLike",
        "Dropout",
        "QuantizeLinear",
        "DequantizeLinear",
        "Imputer",
        "Binarizer",
    ),
    *(
        "Sigmoid",
        "HardSigmoid",
        "Softplus",
        "Softsign",
        "Tanh",
        "Relu",
        "LeakyRelu",
        "PRelu",
        "ThresholdedRelu",
    ),
    *("Elu", "Selu", "Celu", "Gelu", "Mish", "Swish", "HardSwish", "Erf", "Exp", "Log", "Sqrt", "Reciprocal"),
    *("Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Clip", "BatchNormalization", "InstanceNormalization"),
    *("LayerNormalization", "GroupNormalization", "RMSNormalization", "LRN", "Not", "IsNaN", "IsInf"),
}
# Of ai.onnx.ml: floats of the shape of the input; scores, (N, E), at this output.
_FLOATS_LIKE = {"Scaler", "Normalizer"}
_SCORES = {
    **dict.fromkeys(("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"), 1),
    **dict.fromkeys(("LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor"), 0),
}
# Shape inference reads the small tensors (shapes, axes) alone; larger ones would be copied for nothing.
_MOST_ELEMENTS = 1024
# Each round reaches at least one operator further; heads are a few operators long.
_ROUNDS = 8


def infer_types(model: ModelProto) -> ModelProto:
    """
    Return a copy of a model, node for node the same, with the types of all values that can be told.

    Large initializers, those in files and sparse ones are inputs there: their values tell no type.

    Raises
    ------
    ModelError
        onnx's shape inference stumbles over something.
    """
    copy = deepcopy(plainly_named(skeleton(model, _is_large)))
    forget_negative_lengths(copy)
    _drop_contradicted(copy)
    return _all_inferred(copy)


def _all_inferred(model: ModelProto) -> ModelProto:
    """What onnx infers, and what can be told beyond that."""
    typed = infer(model)
    opsets = opset_versions(typed.opset_import)
    for _ in range(_ROUNDS):
        if not _More(opsets).over(typed.graph):
            break
        typed = infer(typed)
    return typed


def _drop_contradicted(model: ModelProto) -> None:
    """Give each declared value the type that its operator gives it, where the declaration contradicts that."""
    undeclared = deepcopy(model)
    for body in _graphs(undeclared):
        del body.value_info[:]
        for value in body.output:
            value.ClearField("type")
    try:
        undeclared = _all_inferred(undeclared)
    except ModelError:  # declarations that are needed: there is nothing to compare them with
        return
    for body, found in zip(_graphs(model), _graphs(undeclared), strict=True):
        types = value_types(found)
        for value in (*body.value_info, *body.output):
            known = types.get(value.name)
            if known is not None and contradiction(declared_type(value.type), declared_type(known)):
                value.type.CopyFrom(known)


def _graphs(model: ModelProto) -> list[GraphProto]:
    return [body for body in bodies(model) if isinstance(body, GraphProto)]


class _More:
    """What onnx does not infer: by the text of ai.onnx.ml, and of inputs by what is known of outputs."""

    def __init__(self, opsets: dict[str, int]) -> None:
        self._opsets, self._found = opsets, False

    def over(self, graph: GraphProto) -> bool:
        """Add to a graph and its subgraphs what can be told of their values; return whether anything was."""
        self._graph(graph, [])
        return self._found

    def _graph(self, graph: GraphProto, around: list[tuple[GraphProto, dict[str, TypeProto]]]) -> None:
        scopes = [*around, (graph, value_types(graph))]
        for node in reversed(graph.node):
            if node.op_type == "If":
                self._into_branches(node, scopes)
            for inner in subgraphs(node):
                self._graph(inner, scopes)
            types = scopes[-1][1]
            told = self._classical if node.domain == "ai.onnx.ml" else self._told
            for name, kind in (*told(node, types), *_rank_of_reshaped(node, types)):
                self._tell(name, kind, scopes)

    def _classical(self, node: NodeProto, types: dict[str, TypeProto]) -> Iterator[tuple[str, TypeProto]]:
        """What an operator of ai.onnx.ml gives, by its text."""
        given = types.get(node.input[0]) if node.input else None
        shape = None if given is None else declared_type(given).shape
        if node.op_type in _FLOATS_LIKE:
            yield node.output[0], value_info("", ValueType("float32", shape)).type
        position = _SCORES.get(node.op_type)
        if position is not None and position < len(node.output):
            rows = shape[0] if shape is not None and len(shape) == 2 else None
            yield node.output[position], value_info("", ValueType("float32", (rows, None))).type

    def _into_branches(self, node: NodeProto, scopes: list[tuple[GraphProto, dict[str, TypeProto]]]) -> None:
        for branch in subgraphs(node):
            for name, value in zip(node.output, branch.output, strict=False):
                known = scopes[-1][1].get(name)
                if known is not None and _is_complete(known) and not _is_complete(value.type):
                    value.type.CopyFrom(known)
                    self._found = True

    def _told(self, node: NodeProto, types: dict[str, TypeProto]) -> Iterator[tuple[str, TypeProto]]:
        """What a node's outputs say of its inputs."""
        version = self._opsets.get(canonical_domain(node.domain))
        alike = () if version is None else _alike(node.op_type, version, canonical_domain(node.domain))
        for position, name in enumerate(node.input):
            for output in alike[min(position, len(alike) - 1)] if alike else ():
                known = types.get(node.output[output]) if output < len(node.output) else None
                if name and known is not None and known.tensor_type.elem_type:
                    kind = TypeProto()
                    kind.tensor_type.elem_type = known.tensor_type.elem_type
                    shape = _shape_before(node, known) if position == 0 and output == 0 else None
                    if shape is not None:
                        kind.tensor_type.shape.CopyFrom(shape)
                    yield name, kind
                    break

    def _tell(
        self, name: str, kind: TypeProto, scopes: list[tuple[GraphProto, dict[str, TypeProto]]]
    ) -> None:
        for graph, types in reversed(scopes):
            known = types.get(name)
            if known is None and name not in chain.from_iterable(node.output for node in graph.node):
                continue  # of a graph further out
            is_more = known is None or (
                kind.tensor_type.HasField("shape")
                and known.HasField("tensor_type")
                and not known.tensor_type.HasField("shape")
            )
            if is_more:
                types[name] = kind
                self._found = True
                _declare(graph, name, kind)
            return


def _rank_of_reshaped(node: NodeProto, types: dict[str, TypeProto]) -> Iterator[tuple[str, TypeProto]]:
    """As many axes as the shape that a Reshape is given has numbers, whatever they are."""
    if node.op_type != "Reshape" or node.domain or len(node.input) < 2:
        return
    given, shape = (types.get(name) for name in node.input[:2])
    lengths = None if shape is None else declared_type(shape).shape
    if given is not None and given.tensor_type.elem_type and lengths and isinstance(lengths[0], int):
        dtype = declared_type(given).dtype
        yield node.output[0], value_info("", ValueType(dtype, (None,) * lengths[0])).type


def _declare(graph: GraphProto, name: str, kind: TypeProto) -> None:
    for value in (*graph.value_info, *graph.output, *graph.input):
        if value.name == name:
            value.type.CopyFrom(kind)
            return
    graph.value_info.add(name=name, type=kind)


def _shape_before(node: NodeProto, after: TypeProto) -> onnx.TensorShapeProto | None:
    """The shape of a node's first input, where that of its first output tells it."""
    if not after.tensor_type.HasField("shape"):
        return None
    shape = after.tensor_type.shape
    if node.op_type in _KEEPS_SHAPE:
        return shape
    if node.op_type != "Transpose":
        return None
    order = next(
        (list(a.ints) for a in node.attribute if a.name == "perm"), [*reversed(range(len(shape.dim)))]
    )
    if sorted(order) != list(range(len(shape.dim))):
        return None
    return onnx.TensorShapeProto(dim=[shape.dim[order.index(axis)] for axis in range(len(order))])


@cache
def _alike(op_type: str, version: int, domain: str) -> tuple[tuple[int, ...], ...]:
    """For each input of an operator, the outputs that have its element type."""
    schema = schema_of(op_type, version, domain)
    if schema is None:
        return ()
    variables = {constraint.type_param_str for constraint in schema.type_constraints}
    return tuple(
        tuple(
            position
            for position, output in enumerate(schema.outputs)
            if given.type_str == output.type_str and given.type_str in variables and given.is_homogeneous
        )
        for given in schema.inputs
    )


def _is_complete(kind: TypeProto) -> bool:
    return bool(kind.tensor_type.elem_type) and kind.tensor_type.HasField("shape")


def _is_large(tensor: TensorProto | SparseTensorProto) -> bool:
    # A sparse initializer stands for a dense value, which inference would take for a sparse one.
    if isinstance(tensor, SparseTensorProto) or is_external(tensor):
        return True
    size = 1
    for length in tensor.dims:
        size *= length
    return size > _MOST_ELEMENTS
