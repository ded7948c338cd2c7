"""
What onnx itself does with a model: checks it, infers its types, puts functions in place of their calls.

Its C++ raises errors of a dozen types, by what it stumbles over. Here each is a ModelError with onnx's words; readers
of models call these functions and none of onnx's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import onnx
from onnx import GraphProto, ModelProto, NodeProto, inliner, shape_inference

from ..errors import ModelError, one_line
from .domains import canonical_domain, opset_versions, schema_of
from .walk import bodies, bodies_in, training_graphs

_CLASSICAL = "ai.onnx.ml"
_TYPE_READ_BLINDLY = ("DictVectorizer", "LabelEncoder")
"""Operators of it whose inference takes a type that is not known for one that is, and ends the process."""

_LEFT_OUT = "softops.left_out"


@contextmanager
def errors_of_onnx(said: str) -> Iterator[None]:
    """Turn whatever onnx raises into a ModelError; ``said`` has onnx's words in place of ``{}``."""
    try:
        yield
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # pybind hands on what any C++ library throws
        raise ModelError(said.format(one_line(error))) from error


def check(model: ModelProto | bytes | str) -> None:
    """Raise a ModelError where ``onnx.checker`` does not take a model, its bytes or its file."""
    with errors_of_onnx("expected a valid model (onnx.checker: {}); export it again"):
        onnx.checker.check_model(model)


def check_types(model: ModelProto) -> None:
    """Raise a ModelError where types or shapes contradict each other: what ``onnx.checker`` checks in full."""
    with errors_of_onnx("expected a model of types that agree (onnx.shape_inference: {}); export it again"):
        infer_unchecked(model, check_type=True, strict_mode=True)


def infer(model: ModelProto, *, check_types: bool = False, data_prop: bool = True) -> ModelProto:
    """Return a copy with the types of its values as onnx's shape inference tells them, or raise a ModelError."""
    _check_inputs(model)
    with errors_of_onnx(
        "expected a model whose types can be inferred (onnx.shape_inference: {}); export it again"
    ):
        return infer_unchecked(model, check_type=check_types, data_prop=data_prop)


def infer_unchecked(model: ModelProto, **options: bool) -> ModelProto:
    """
    As ``onnx.shape_inference.infer_shapes``, whose errors it raises.

    A node whose inference crashes where the type of its input is not known is left out of it until it is.
    """
    inferred: ModelProto
    if not any(_crashes(node) for body in bodies(model) for node in body.node):
        inferred = shape_inference.infer_shapes(model, **options)
        return inferred
    copy = ModelProto()
    copy.CopyFrom(model)
    for node in _nodes(copy):
        if _crashes(node):
            node.domain = _LEFT_OUT
    copy.opset_import.add(domain=_LEFT_OUT, version=1)
    for function in copy.functions:
        function.opset_import.add(domain=_LEFT_OUT, version=1)
    while True:
        inferred = shape_inference.infer_shapes(copy, **options)
        typed = _typed(inferred)
        ready = [node for node in _nodes(copy) if node.domain == _LEFT_OUT and typed.issuperset(node.input)]
        if not ready:
            break
        for node in ready:
            node.domain = _CLASSICAL
    for node in _nodes(inferred):
        node.domain = _CLASSICAL if node.domain == _LEFT_OUT else node.domain
    for holder in (inferred, *inferred.functions):
        del holder.opset_import[-1]
    return inferred


def inline(
    model: ModelProto, functions: Sequence[tuple[str, str]] | None = None, *, of_schemas: bool = False
) -> ModelProto:
    """
    Return a copy with functions in the place of their calls: all of the model, or those of these domains and names.

    ``of_schemas``: the names are of operators that ONNX defines by functions. ModelError where onnx cannot.
    """
    with errors_of_onnx(
        "expected functions that can be put in place of their calls (onnx.inliner: {}); export again"
    ):
        if functions is None:
            inlined: ModelProto = inliner.inline_local_functions(model)
        else:
            inlined = inliner.inline_selected_functions(
                model, list(functions), exclude=False, inline_schema_functions=of_schemas
            )
        return inlined


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    return (node for body in bodies(model) for node in body.node)


def _crashes(node: NodeProto) -> bool:
    return node.domain == _CLASSICAL and node.op_type in _TYPE_READ_BLINDLY


def _typed(model: ModelProto) -> set[str]:
    """The names in graphs of which a type is known."""
    graphs = [body for body in bodies(model) if isinstance(body, GraphProto)]
    values = (value for body in graphs for value in (*body.input, *body.value_info, *body.output))
    tensors = (tensor.name for body in graphs for tensor in body.initializer)
    return {*(value.name for value in values if value.type.WhichOneof("value")), *tensors}


def _check_inputs(model: ModelProto) -> None:
    """Raise a ModelError where a node lacks inputs, or has too many: the inference of some operators then crashes."""
    roots = [
        *((graph, model) for graph in (model.graph, *training_graphs(model))),
        *((f, f) for f in model.functions),
    ]
    for root, holder in roots:
        versions = opset_versions(holder.opset_import)
        for node in (node for body in bodies_in(root) for node in body.node):
            domain = canonical_domain(node.domain)
            wanted = _inputs_of(node.op_type, versions.get(domain, 1), domain)
            if wanted is None:
                continue
            least, most, required = wanted
            given = len(node.input)
            missing = [place for place in required if place < given and not node.input[place]]
            if missing or not least <= given <= most:
                got = f"input {missing[0]} left out" if missing else f"{given}"
                message = (
                    f"expected {least} to {most} inputs of {node.op_type} {node.name!r}, and all that it needs "
                    f"(got {got}); export the model again"
                )
                raise ModelError(message)


@cache
def _inputs_of(op_type: str, version: int, domain: str) -> tuple[int, int, tuple[int, ...]] | None:
    """How many inputs an operator takes at least and at most, and the places of those it cannot do without."""
    schema = schema_of(op_type, version, domain)
    if schema is None:
        return None
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    required = tuple(place for place, formal in enumerate(schema.inputs) if formal.option == single)
    return schema.min_input, schema.max_input, required
