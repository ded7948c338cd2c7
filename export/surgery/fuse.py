"""Expressions that spell out an operator of the softmax family, as that operator."""

from __future__ import annotations

import os

import onnx
from onnx import NodeProto, helper

from softops.opset import ModelSource
from softops.opset.expressions.rules import Fused, recognized
from softops.opset.graph.scopes import Scope
from softops.opset.graph.walk import dead_values, remove_dead

from .opened import edit_scopes, open_model


def fuse(model: ModelSource, *, path: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """
    Replace expressions that spell out an operator of the softmax family by that operator.

    Each operator computes what its expression means without overflow on the way:

    - ``exp(x) / sum(exp(x))``, as a product with the reciprocal too → Softmax;
    - ``log(softmax(x))``, ``x − log(sum(exp(x)))`` → LogSoftmax; ``exp(log_softmax(x))`` → Softmax;
    - ``softmax(x − max(x))`` and ``log_softmax(x − max(x))`` → without the subtraction, which the operator does;
    - ``log(sum(exp(x)))`` → ReduceLogSumExp, and so ``log(sum(exp(x − m))) + m`` where m is the maximum of x;
    - ``1 / (1 + exp(−x))``, ``exp(x) / (1 + exp(x))``, and the form that `decompose` writes → Sigmoid;
    - ``log(sigmoid(x))`` → ``−softplus(−x)``, as ONNX has no LogSigmoid;
    - ``log(1 + exp(x))``, ``relu(x) + log(1 + exp(−abs(x)))`` → Softplus;
    - ``x / (1 + abs(x))`` → Softsign.

    An expression is replaced only where that is certain: no value inside it is an output or read elsewhere,
    all its reductions go over the same axes, known when the model is built, with ``keepdims`` or with an
    Unsqueeze (or a Reshape that can be nothing else) that puts the axes back; an operator with
    an axis normalizes over exactly these under the rule of the opset (below 13 all trailing dimensions
    together); constants are exactly 1 and change no shape; and the operator takes the type. Subgraphs and
    functions of the model are searched too. Names of all other values stay.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    path
        Where to write the model as well; files of tensors are copied beside it.

    Returns
    -------
    onnx.ModelProto
        Node for node the same as before where nothing was found.

    Raises
    ------
    ModelError
        Not a model, or not a valid one.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.

    Notes
    -----
    Values change by roundings, and where the expression overflowed or divided by zero: there the operator is
    right. Sources: ``ai.onnx@1::Softmax`` and later, ``ai.onnx@1::ReduceLogSumExp`` and later,
    ``ai.onnx@1::Softplus``, ``ai.onnx@1::Softsign``.
    """
    opened = open_model(model)
    was_dead = dead_values(opened.model.graph)
    edit_scopes(opened, fuse_scope)
    remove_dead(opened.model.graph, opened.model.ir_version, was_dead)
    return opened.finish(path)


def fuse_scope(scope: Scope, *, closed: bool = True) -> list[NodeProto] | None:
    """
    Return the nodes of a scope with operators for the expressions; None where there are none.

    Without ``closed``, expressions whose inner values are read elsewhere are replaced as well, and their inner nodes
    stay.
    """
    changed = False
    while _fuse_once(scope, closed):
        changed = True
    return [node for node in scope.nodes if scope.has(node)] if changed else None


def _fuse_once(scope: Scope, closed: bool) -> bool:
    """Go over the nodes in order: what has become one node may be part of a larger expression further on."""
    changed = False
    for root in list(scope.nodes):
        node = root if scope.has(root) else None
        while node is not None:
            node = _fuse_at(node, scope, closed)
            changed |= node is not None
    return changed


def _fuse_at(root: NodeProto, scope: Scope, closed: bool) -> NodeProto | None:
    """Return what has taken the node's place, None where it stays."""
    found = recognized(root, scope, closed=closed)
    if found is None:
        return None
    *first, last = _nodes(found.fused, root, scope)
    others = [node for node in found.match.nodes.values() if node is not root and closed]
    scope.replace(root, last, others, before=first)
    return last


def _nodes(fused: Fused, root: NodeProto, scope: Scope) -> list[NodeProto]:
    """The operator in a node's place, of the node's name and output."""
    output = root.output[0]
    if not fused.mirrored:
        return [helper.make_node(fused.op_type, fused.inputs, [output], root.name, **fused.attributes)]
    names = [scope.names.fresh(f"{output}_{part}") for part in ("minus", fused.op_type.lower())]
    (x,) = fused.inputs
    return [
        helper.make_node("Neg", [x], [names[0]], names[0]),
        helper.make_node(fused.op_type, [names[0]], [names[1]], names[1], **fused.attributes),
        helper.make_node("Neg", [names[1]], [output], root.name),
    ]
