"""An existing model without its head, or with another activation in it."""

from __future__ import annotations

import os
from copy import deepcopy

import onnx

from softops.opset import ModelSource, UnsupportedModelError
from softops.opset.graph.walk import dead_values, names_read, remove_dead

from .append_arguments import named_output
from .chains import Chain, follow, rename_reads
from .opened import OpenModel, open_model

_REPLACEABLE = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "hardmax": "Hardmax"}


def strip_head(
    model: ModelSource,
    output: str | None = None,
    *,
    name: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Take a model back to its logits.

    An output that is a softmax, log-softmax, hardmax or sigmoid, or an arg max, the k largest or labels looked
    up by them, is replaced by the value these are taken from. Several outputs of the same logits become one,
    in the place of the first. What nothing needs any longer is removed; all other outputs stay as they are.
    A division by a temperature before the activation is no part of the head.

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
    graph = opened.model.graph
    wanted = graph.output if output is None else [named_output(graph, output)]
    chains = {
        value.name: chain
        for value in wanted
        if (chain := follow(graph, value.name, opened.scope.types)) is not None
    }
    if not chains:
        message = (
            "expected an output that is a softmax, log-softmax, hardmax, sigmoid, arg max or top-k, or labels "
            f"of these (got {_ends(graph, [value.name for value in wanted])}); there is no head to strip"
        )
        raise ValueError(message)
    sources = _sources(chains, graph)
    if name is not None and len(set(sources.values())) > 1:
        message = f"expected one head for the name {name!r} (got {', '.join(chains)}); pass output as well, or no name"
        raise ValueError(message)

    was_dead = dead_values(graph)
    kept = {value.name for value in graph.output} - sources.keys()
    outputs: list[onnx.ValueInfoProto] = []
    given: set[str] = set()
    for value in graph.output:
        source = sources.get(value.name)
        if source is None:
            outputs.append(value)
        elif source not in given and (source not in kept or name is not None):
            given.add(source)
            outputs.append(_logits(opened, source, name))
    replaced = onnx.GraphProto(output=outputs)
    del graph.output[:]
    graph.output.extend(replaced.output)
    remove_dead(graph, opened.model.ir_version, was_dead)
    return opened.finish(path)


def replace_activation(
    model: ModelSource,
    activation: str,
    *,
    output: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> onnx.ModelProto:
    """
    Exchange the activation of a model's head: softmax, log-softmax and hardmax for one another.

    The output keeps its name, dtype and shape, and the new activation the axis of the old one. Where the old
    activation is read by anything else, such as an arg max or another output, it stays there for that.

    Parameters
    ----------
    model
        Path, bytes or ``ModelProto``, which is left alone. Of a path, tensors in other files are not loaded.
    activation
        ``softmax``, ``log_softmax`` or ``hardmax``.
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
        Not a model, or not a valid one.
    ValueError
        An unknown activation, or no output, or more than one, to exchange it for.
    OSError
        ``model`` cannot be read or ``path`` cannot be written.
    """
    if activation not in _REPLACEABLE:
        message = f"expected an activation among {', '.join(_REPLACEABLE)} (got {activation!r}); choose one"
        raise ValueError(message)
    opened = open_model(model)
    graph = opened.model.graph
    wanted = graph.output if output is None else [named_output(graph, output)]
    heads: dict[str, Chain] = {}
    for value in wanted:
        chain = follow(graph, value.name, opened.scope.types)
        if chain is not None and _is_plain(chain):
            heads[value.name] = chain
    if len(heads) != 1:
        ends = _ends(graph, [value.name for value in wanted])
        got = f"got {', '.join(heads)}" if heads else f"got {ends}"
        message = f"expected one output that ends in softmax, log-softmax or hardmax ({got}); " + (
            "name the output" if heads else "append a head instead"
        )
        raise ValueError(message)
    (chain,) = heads.values()
    assert chain.activation is not None
    _exchange(opened, chain, chain.activation, _REPLACEABLE[activation])
    return opened.finish(path)


def _exchange(opened: OpenModel, chain: Chain, activation: onnx.NodeProto, op_type: str) -> None:
    graph = opened.model.graph
    value = activation.output[0]
    output = chain.nodes[0].output[0]
    own = {name for node in chain.nodes for name in node.output}
    readers = [
        node for node in graph.node if node.output[0] not in own and own.intersection(names_read(node))
    ]
    shared = own.intersection(entry.name for entry in graph.output) - {output}
    if shared or (readers and value != output):
        message = (
            f"expected {output!r} to be all that is made of its activation {value!r} (there is "
            f"{', '.join(sorted(shared)) or readers[0].output[0]} as well); append a head to the logits instead"
        )
        raise UnsupportedModelError(message)
    if readers:
        # The others go on reading the old activation, under another name.
        kept = deepcopy(activation)
        kept.output[0] = opened.scope.names.fresh(f"{value}_{activation.op_type.lower()}")
        kept.name = kept.output[0]
        rename_reads(readers, value, kept.output[0])
        at = [node.output[0] for node in graph.node].index(value)
        nodes = list(graph.node)
        nodes.insert(at, kept)
        nodes[at + 1].op_type = op_type
        del graph.node[:]
        graph.node.extend(nodes)
    else:
        activation.op_type = op_type


def _is_plain(chain: Chain) -> bool:
    """Whether a head is an activation, and nothing but what wraps it."""
    kinds = [node.op_type for node in chain.nodes if node.op_type not in ("Identity", "Cast", "Transpose")]
    return len(kinds) == 1 and kinds[0] in _REPLACEABLE.values()


def _sources(chains: dict[str, Chain], graph: onnx.GraphProto) -> dict[str, str]:
    """Return the logits of each output; where some are a mere Cast of others, the others."""
    sources = {name: chain.source for name, chain in chains.items()}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    known = set(sources.values())
    return {name: casts[source] if casts.get(source) in known else source for name, source in sources.items()}


def _logits(opened: OpenModel, source: str, name: str | None) -> onnx.ValueInfoProto:
    kind = opened.scope.types.get(source)
    if kind is None or not kind.tensor_type.elem_type or not kind.tensor_type.HasField("shape"):
        message = (
            f"expected the type and rank of the logits {source!r} to be known (they are not); "
            "run onnx.shape_inference on the model first"
        )
        raise UnsupportedModelError(message)
    graph = opened.model.graph
    if name is not None and opened.scope.names.fresh(name) != name and name != source:
        message = f"expected a name that is free in the model (got {name!r}); choose another"
        raise ValueError(message)
    fed = source in {value.name for value in graph.input} or source in {t.name for t in graph.initializer}
    if fed or name not in (None, source):
        result = name or opened.scope.names.fresh("logits")
        graph.node.append(onnx.helper.make_node("Identity", [source], [result], result))
        source = result
    return onnx.helper.make_value_info(source, kind)


def _ends(graph: onnx.GraphProto, names: list[str]) -> str:
    makers = {name: node.op_type for node in graph.node for name in node.output}
    return ", ".join(f"{name} from {makers.get(name, 'an input')}" for name in names)
