"""Operators of the softmax family as simpler ones, for runtimes that do not have them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from typing import Literal

import onnx
from onnx import helper

from softops.opset import ModelError, ModelSource, UnsupportedModelError
from softops.opset.graph.by_onnx import inline
from softops.opset.graph.domains import DOMAINS
from softops.opset.graph.scopes import Scope
from softops.opset.graph.types import value_types
from softops.opset.graph.walk import bodies

from .decompositions import FORMS, simpler
from .opened import OpenModel, edit_scopes, open_model, opened_copy

BODIES = ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", "Attention")
"""Operators that are replaced by their function; in this order, as the first holds the second."""
Decomposable = Literal[
    "Softmax",
    "LogSoftmax",
    "Hardmax",
    "ReduceLogSumExp",
    "ReduceLogSum",
    "Sigmoid",
    "Softplus",
    "HardSigmoid",
    "Softsign",
    "SoftmaxCrossEntropyLoss",
    "NegativeLogLikelihoodLoss",
    "Attention",
]


def decompose(
    model: ModelSource,
    op: Decomposable | Sequence[Decomposable],
    *,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Replace operators of the softmax family by simpler ones.

    With m the maximum along the axis, held within the finite numbers, the forms are

    - Softmax: ``e / sum(e)``, ``e = exp(x - max(x))``;
    - LogSoftmax: ``s - log(sum(exp(s)))``, ``s = x - max(x)``;
    - ReduceLogSumExp: ``log(sum(exp(x - m))) + m``; an all −inf row gives −inf, one with +inf gives +inf;
    - ReduceLogSum: ``log(sum(x))``;
    - Hardmax: ``one_hot(argmax(x))``, from opset 9 on;
    - Sigmoid: ``exp(-relu(-x)) / (1 + exp(-abs(x)))``, which neither overflows nor loses small values;
    - Softplus: ``relu(x) + log(1 + exp(-abs(x)))``, right to one rounding of 1 but not in relative terms
      below −16 in float32: ONNX has no log1p;
    - HardSigmoid: ``clip(alpha * x + beta, 0, 1)``;
    - Softsign: ``x / (1 + abs(x))``;
    - SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss, Attention: the functions ONNX defines them by, which
      use LogSoftmax, NegativeLogLikelihoodLoss and Softmax: name these too where they have to go as well.

    Each axis is read by the rule of the opset: below 13 the trailing dimensions are normalized as one, which
    is why ``max`` and ``sum`` then go over several axes. Halves are cast to float32 and rounded once where
    their type is known. Subgraphs and functions of the model are searched too; the names of all other values
    stay, and the values of all other outputs.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    op
        Name of the operator, or several names.
    path
        Where to write the model as well; files of tensors are copied beside it.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ModelError
        Not a model, or not a valid one; its opset or an attribute allows no such form.
    ValueError
        An operator that has no simpler form, or that the model does not use.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.

    Notes
    -----
    Over an axis of length 0 the maximum is not defined before opset 20, and runtimes may refuse it.
    Sources: ``ai.onnx@1::Softmax`` and later, ``ai.onnx@18::ReduceLogSumExp``, ``ai.onnx@1::Hardmax``.
    """
    names = {op} if isinstance(op, str) else set(op)
    if unknown := names - FORMS.keys() - set(BODIES):
        known = ", ".join([*FORMS, *BODIES])
        message = (
            f"expected operators among {known} (got {', '.join(map(repr, sorted(unknown)))}); "
            "choose among these"
        )
        raise ValueError(message)
    opened = open_model(model)
    found: set[str] = set()
    for name in BODIES:
        if name in names and _is_used(name, opened.model):
            found.add(name)
            opened = _inlined(name, opened)

    def edit(scope: Scope) -> list[onnx.NodeProto] | None:
        nodes: list[onnx.NodeProto] = []
        here: set[str] = set()
        for node in scope.nodes:
            if node.op_type in names and node.domain in DOMAINS:
                here.add(node.op_type)
                nodes += simpler(node, scope)
            else:
                nodes.append(node)
        found.update(here)
        return nodes if here else None

    edit_scopes(opened, edit)
    if missing := sorted(names - found):
        message = (
            f"expected a model with {' and '.join(missing)} (it has none); "
            "name an operator that the model uses"
        )
        raise ValueError(message)
    return opened.finish(path)


def _inlined(name: str, opened: OpenModel) -> OpenModel:
    """Put the function that ONNX defines an operator by in its place."""
    message = (
        f"expected a {name} whose inputs have a known type, outside of functions (got another); "
        "run onnx.shape_inference on the model, or inline its functions with onnx.inliner"
    )
    typed = deepcopy(opened.model)
    added = _add_types(typed.graph, opened)
    try:
        inlined = inline(typed, [("", name)], of_schemas=True)
    except ModelError as error:  # how it says that a type is not known
        raise UnsupportedModelError(message) from error
    for index in reversed(range(len(inlined.graph.value_info))):
        if inlined.graph.value_info[index].name in added:
            del inlined.graph.value_info[index]
    again = opened_copy(inlined, opened.folder)
    if _is_used(name, again.model):
        raise UnsupportedModelError(message)
    return again


def _add_types(graph: onnx.GraphProto, opened: OpenModel) -> set[str]:
    """
    Write down the types of all values where the inliner looks for them: in the main graph; return their names.

    It finds neither those of initializers nor those of a subgraph's values, and asks for one of the empty name
    where an input is left out.
    """
    types = {"": helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None)}
    for body in bodies(opened.inferred):
        if isinstance(body, onnx.GraphProto):
            types = value_types(body) | types
    for value in (*graph.input, *graph.output, *graph.value_info):
        types.pop(value.name, None)
    graph.value_info.extend(helper.make_value_info(name, kind) for name, kind in types.items())
    return set(types)


def _is_used(name: str, model: onnx.ModelProto) -> bool:
    return any(
        node.op_type == name and node.domain in DOMAINS for body in bodies(model) for node in body.node
    )
