"""An existing model without its head, or with another activation in it."""

from __future__ import annotations

import os

import onnx

from softops.opset import ModelSource, UnsupportedModelError
from softops.opset.graph.walk import dead_values, remove_dead

from .append_arguments import named_output
from .branches import Head, add_branch_output, head_behind, prune_branches, with_heads_inlined
from .chains import CARRIERS, Chain, Heads
from .classifiers import TRANSFORMS, add_raw_scores, is_classical
from .exchange import REPLACEABLE as _REPLACEABLE
from .exchange import Replacement, exchange
from .opened import OpenModel, open_model


def strip_head(
    model: ModelSource,
    output: str | None = None,
    *,
    name: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Take a model back to its logits.

    An output that is a softmax, log-softmax, hardmax or sigmoid, spelled out or not, or an arg max, the k largest
    or labels looked up by them, is replaced by the value these are taken from, in the shape that it has there: a
    Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity, Cast or Dropout behind the activation goes with it.
    Several outputs of the same logits become one, in the place of the first. What nothing needs any longer is removed;
    all other outputs stay as they are. A division by a temperature before the activation is no part of the head.

    - A classifier or regressor of ai.onnx.ml gives its scores as with ``post_transform=NONE``, an SVMClassifier
      without ``prob_a`` and ``prob_b``; the label goes with them, and a Normalizer or ZipMap behind.
    - Where both branches of an If end in a head, the output becomes that of the logits of each.
    - A function of the model that ends in a head is put in the place of its calls first.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    output
        Name of the output to take back; every one that ends in a head by default.
    name
        Name of the new output; by default the one that the value has in the model. Only for one head.
    path
        Where to write the model as well; files of tensors are copied beside it.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ModelError
        Not a model, or not a valid one; the type of the logits cannot be told.
    ValueError
        There is no head to strip, or no such output; ``name`` is taken.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.
    """
    opened = open_model(model)
    asked = [value.name for value in _wanted(opened, output)]
    opened = with_heads_inlined(opened, asked)
    graph = opened.model.graph
    there = Heads(opened.scope)
    heads = {name: head for name in asked if (head := head_behind(there, name)) is not None}
    if not heads:
        message = (
            "expected an output that is a softmax, log-softmax, hardmax, sigmoid, arg max or top-k, labels of these, "
            f"or that of a classifier (got {_ends(graph, asked)}); there is no head to strip"
        )
        raise ValueError(message)
    origins = _origins(heads, graph)
    if name is not None and len(set(origins.values())) > 1:
        message = f"expected one head for the name {name!r} (got {', '.join(heads)}); pass output as well, or no name"
        raise ValueError(message)

    was_dead = dead_values(graph)
    kept = {value.name for value in graph.output} - origins.keys()
    outputs: list[onnx.ValueInfoProto] = []
    given: set[_Origin] = set()
    for value in graph.output:
        origin = origins.get(value.name)
        if origin is None:
            outputs.append(value)
        elif origin not in given and (origin not in kept or name is not None):
            given.add(origin)
            outputs.append(_logits(opened, heads[value.name], origin, name))
    replaced = onnx.GraphProto(output=outputs)
    del graph.output[:]
    graph.output.extend(replaced.output)
    remove_dead(graph, opened.model.ir_version, was_dead)
    for head in heads.values():
        if head.branching is not None:
            prune_branches(opened, head.branching)
    remove_dead(graph, opened.model.ir_version, was_dead)
    return opened.finish(path)


def replace_activation(
    model: ModelSource,
    activation: Replacement,
    *,
    output: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Exchange the activation of a model's head: softmax, log-softmax and hardmax for one another.

    The output keeps its name, dtype and shape, and the new activation the axis of the old one. Where the old
    activation is read by anything else, such as an arg max or another output, it stays there for that. What an
    activation may be, where it may lie and what may stand behind it is as for `strip_head`.

    A classifier or regressor of ai.onnx.ml gets another ``post_transform``; its labels do not depend on it.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    activation
        ``softmax``, ``log_softmax`` or ``hardmax``; of a classifier of ai.onnx.ml ``softmax``, ``sigmoid``,
        ``softmax_zero``, ``probit`` or ``none``.
    output
        Name of the output; may be left out where only one ends in such an activation.
    path
        Where to write the model as well; files of tensors are copied beside it.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ModelError
        Not a model, or not a valid one; an activation that cannot stand there.
    ValueError
        An unknown activation, or no output, or more than one, to exchange it for.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.
    """
    if activation not in (*_REPLACEABLE, *TRANSFORMS):
        known = ", ".join(dict.fromkeys((*_REPLACEABLE, *TRANSFORMS)))
        message = f"expected an activation among {known} (got {activation!r}); choose one"
        raise ValueError(message)
    opened = open_model(model)
    asked = [value.name for value in _wanted(opened, output)]
    opened = with_heads_inlined(opened, asked)
    there = Heads(opened.scope, raw=True)
    found = {name: head for name in asked if (head := head_behind(there, name)) is not None}
    heads = {name: head for name, head in found.items() if all(map(_is_plain, head.chains))}
    if len(heads) != 1:
        ends = _ends(opened.model.graph, asked)
        got = f"got {', '.join(heads)}" if heads else f"got {ends}"
        message = (
            f"expected one output that ends in softmax, log-softmax or hardmax, or in a classifier ({got}); "
            + ("name the output" if heads else "append a head instead")
        )
        raise ValueError(message)
    ((name, head),) = heads.items()
    exchange(opened, head, name, activation)
    return opened.finish(path)


def _wanted(opened: OpenModel, output: str | None) -> list[onnx.ValueInfoProto]:
    graph = opened.model.graph
    return list(graph.output) if output is None else [named_output(graph, output)]


def _is_plain(chain: Chain) -> bool:
    """Whether a head is an activation, and nothing but what wraps it."""
    if is_classical(chain.nodes[-1]):
        return chain.activation is not None
    kinds = [node.op_type for node in chain.nodes if node.op_type not in CARRIERS]
    return len(kinds) == 1 and kinds[0] in _REPLACEABLE.values()


_Origin = str | tuple[str, str]
"""The value that holds the logits, or what has to be made: of a classifier by its scores, of an If by its output."""


def _origins(heads: dict[str, Head], graph: onnx.GraphProto) -> dict[str, _Origin]:
    """Return the origin of each output; of values that are a mere Cast of others, the others."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    origins: dict[str, _Origin] = {}
    for name, head in heads.items():
        chain = head.chains[0]
        if head.branching is not None:
            origins[name] = ("branches", head.branching.output[head.position])
        else:
            origins[name] = chain.source if chain.classifier is None else ("scores", chain.source)
    known = set(origins.values())
    return {
        name: casts[origin] if isinstance(origin, str) and casts.get(origin) in known else origin
        for name, origin in origins.items()
    }


def _logits(opened: OpenModel, head: Head, origin: _Origin, name: str | None) -> onnx.ValueInfoProto:
    graph, names = opened.model.graph, opened.scope.names
    source = origin if isinstance(origin, str) else names.fresh(name or "logits")
    if isinstance(origin, str):
        kind = opened.scope.types.get(source)
    elif head.branching is not None:
        kind = add_branch_output(opened, head, source)
    else:
        classifier = head.chains[0].classifier
        assert classifier is not None
        kind = add_raw_scores(opened, classifier, source)
    if kind is None or not kind.tensor_type.elem_type or not kind.tensor_type.HasField("shape"):
        message = (
            f"expected the type and rank of the logits {source!r} to be known (they are not); "
            "run onnx.shape_inference on the model first"
        )
        raise UnsupportedModelError(message)
    if not isinstance(origin, str):
        if name is not None and source != name:
            message = f"expected a name that is free in the model (got {name!r}); choose another"
            raise ValueError(message)
        return onnx.helper.make_value_info(source, kind)
    if name is not None and names.fresh(name) != name and name != source:
        message = f"expected a name that is free in the model (got {name!r}); choose another"
        raise ValueError(message)
    fed = source in {value.name for value in graph.input} or source in {t.name for t in graph.initializer}
    if fed or name not in (None, source):
        result = name or names.fresh("logits")
        graph.node.append(onnx.helper.make_node("Identity", [source], [result], result))
        source = result
    return onnx.helper.make_value_info(source, kind)


def _ends(graph: onnx.GraphProto, names: list[str]) -> str:
    makers = {name: node.op_type for node in graph.node for name in node.output}
    return ", ".join(f"{name} from {makers.get(name, 'an input')}" for name in names)
