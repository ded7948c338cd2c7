"""
Runs a model node by node in float64: once exactly, and in samples with the noise of a right runtime at each node.

All samples go through a node before the next one is looked at, so that no more values are held than the model needs at
a time, a few times over.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx

from ..errors import ModelError, NodeError, one_line
from ..graph.domains import opset_versions
from ..graph.functions import Library, bound_function, called_function
from ..graph.tensors import array_of, constant_of, dense_array_of
from ..graph.walk import names_read
from ..implementations.choice import operation_of
from ..nodes.node import Node, Operation, Value, attributes_of, described, with_short_domain
from ..rounding_rules.call import Call
from ..rounding_rules.precision import float_dtype, precision_of, widened
from .apart import Apart
from .control import CONTROL
from .samples import Samples
from .value import NOTHING, Noisy

Observer = Callable[[str, str, Noisy], None]
"""Told of each tensor of the main graph: its name, its maker in words, its value."""

Names = ChainMap[str, Noisy]

_SMALL = 2**16


class Scope(NamedTuple):
    """What the names of a node's operators mean, and of which dtypes its results are, as far as that is known."""

    opsets: Mapping[str, int]
    library: Library
    dtypes: Mapping[str, np.dtype[Any]]


class Interpreter:
    """
    Runs graphs with noise.

    Parameters
    ----------
    samples, seed
        How many samples, and what the noise is drawn by.
    dtype
        What floats are held in wherever the model says another dtype; None: what the model says.
    free
        Whether each sample takes decisions of its own, rather than those of the exact run.
    """

    def __init__(
        self, samples: int, seed: int, dtype: np.dtype[Any] | None = None, *, free: bool = False
    ) -> None:
        self._samples, self._dtype = Samples(samples, np.random.default_rng(seed), free), dtype
        self.without_rule: set[str] = set()
        """Operators that were met and have no rule."""

    def value(self, value: Value) -> Noisy:
        """A value that is given: exact, or rounded to the dtype that all floats are held in."""
        dtype = float_dtype(value)
        if dtype is None:
            return Noisy(value)
        exact = widened(value)
        if self._dtype is None or dtype == self._dtype or isinstance(exact, list):
            return Noisy(exact, dtype=dtype)
        rounder = self._samples.rounder(precision_of(self._dtype))
        return Noisy(exact, [rounder.last(exact) for _ in range(self._samples.count)], self._dtype)

    def nodes(
        self,
        nodes: Iterable[onnx.NodeProto],
        names: Names,
        scope: Scope,
        kept: Iterable[str],
        constants: Mapping[str, Callable[[], Value]] | None = None,
        observe: Observer | None = None,
        watch: Callable[[int, int], None] | None = None,
    ) -> None:
        """
        Run nodes in order; their results join ``names``, and leave it once nobody reads them.

        ``constants`` are made when a node reads them, and not held.
        """
        nodes, constants = list(nodes), constants or {}
        last = {name: place for place, node in enumerate(nodes) for name in names_read(node)}
        kept = set(kept)
        for place, proto in enumerate(nodes):
            own = {name: self.value(constants[name]()) for name in names_read(proto) if name in constants}
            made = self.node(with_short_domain(proto), names.new_child(own) if own else names, scope)
            for name, value in zip(proto.output, made, strict=False):
                if name:
                    names[name] = value
                    if observe is not None:
                        observe(name, described(proto), value)
            for name in {*names_read(proto), *proto.output}:
                if last.get(name, place) == place and name not in kept:
                    names.maps[0].pop(name, None)
            if watch is not None:
                watch(place + 1, len(nodes))

    def node(self, proto: onnx.NodeProto, names: Names, scope: Scope) -> list[Noisy]:
        """The results of a node."""
        label = described(proto)
        inputs = [_found(names, name, label) for name in proto.input]
        version = scope.opsets.get(proto.domain)
        function = called_function(proto, scope.library, version)
        if function is not None:
            return self._called(function, proto, inputs, scope.library)
        if proto.op_type == "Constant" and not proto.domain and (value := constant_of(proto)) is not None:
            return [self.value(value)]
        if version is None:
            message = (
                f"expected an opset import for the domain {proto.domain!r} of {label}; export the model again"
            )
            raise ModelError(message)
        node = Node(
            proto=proto,
            opsets=scope.opsets,
            attributes=attributes_of(proto),
            constants=[_small(x) for x in inputs],
            planning=Apart(scope.opsets, scope.library),
        )
        if proto.op_type in CONTROL and not proto.domain:
            return CONTROL[proto.op_type](
                node, inputs, lambda graph, given: self._inside(graph, given, names, scope)
            )
        operation = operation_of(node)
        if isinstance(operation, onnx.FunctionProto):
            return self._called(operation, proto, inputs, {})
        try:
            return self._computed(node, operation, inputs, scope)
        except (ModelError, MemoryError):
            raise
        except Exception as error:
            message = f"expected inputs that {label} can work on ({one_line(error)}); check the model and its inputs"
            raise NodeError(message) from error

    def _called(
        self, function: onnx.FunctionProto, call: onnx.NodeProto, inputs: Sequence[Noisy], library: Library
    ) -> list[Noisy]:
        given = dict.fromkeys(function.input, NOTHING) | dict(zip(function.input, inputs, strict=False))
        names = ChainMap(given)
        scope = Scope(opset_versions(function.opset_import), library, {})
        self.nodes(bound_function(function, call).node, names, scope, function.output)
        outputs = function.output[: len(call.output)]
        return [_found(names, name, f"the output of function {function.name!r}") for name in outputs]

    def _inside(
        self, graph: onnx.GraphProto, inputs: Sequence[Noisy], names: Names, scope: Scope
    ) -> list[Noisy]:
        own = names.new_child({value.name: x for value, x in zip(graph.input, inputs, strict=False)})
        outputs = [value.name for value in graph.output]
        held = constants_of(graph)
        self.nodes(graph.node, own, scope._replace(dtypes={}), outputs, held)
        return [
            self.value(held[name]()) if name in held else _found(own, name, "the graph's outputs")
            for name in outputs
        ]

    def _computed(
        self, node: Node, operation: Operation, inputs: Sequence[Noisy], scope: Scope
    ) -> list[Noisy]:
        with np.errstate(all="ignore"):
            made = operation.run(*[x.exact for x in inputs])
        natural = list(made) if operation.many else [made]
        exact = [widened(value) for value in natural]
        dtypes = [self._dtype_of(node, place, inputs, value, scope) for place, value in enumerate(natural)]
        precision = precision_of(dtypes[0] or np.dtype(np.float32))
        call = Call(node, operation, [x.exact for x in inputs], exact, precision)
        outputs, has_rule = self._samples.of(call, inputs)
        if not has_rule:
            self.without_rule.add(node.proto.op_type)
        decided = [] if self._samples.free else [_hanging(x, node) for x in inputs]
        hangs_on = frozenset[str]().union(*(x.hangs_on for x in inputs), *decided)
        return [
            replace(value, dtype=dtype, hangs_on=hangs_on)
            for value, dtype in zip(outputs, dtypes, strict=True)
        ]

    def _dtype_of(
        self, node: Node, place: int, inputs: Sequence[Noisy], value: Value, scope: Scope
    ) -> np.dtype[Any] | None:
        """What a runtime holds a result in: what is known, what a cast says, what the first floats come in."""
        natural = float_dtype(value)
        if natural is None:
            return None
        if self._dtype is not None:
            return self._dtype
        output = node.proto.output
        if place < len(output) and output[place] in scope.dtypes:
            return scope.dtypes[output[place]]
        if node.proto.op_type == "Cast":
            return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(node.attributes["to"]))
        given = [
            x.dtype
            for x in (inputs[1:] if node.proto.op_type == "CastLike" else inputs)
            if x.dtype is not None
        ]
        return given[0] if given else natural


def constants_of(graph: onnx.GraphProto) -> dict[str, Callable[[], Value]]:
    """What gives each constant of a graph."""
    found: dict[str, Callable[[], Value]] = {
        tensor.name: partial(array_of, tensor) for tensor in graph.initializer
    }
    return found | {
        sparse.values.name: partial(dense_array_of, sparse) for sparse in graph.sparse_initializer
    }


def _found(names: Names, name: str, reader: str) -> Noisy:
    if not name:
        return NOTHING
    if name not in names:
        message = f"expected a value named {name!r} before {reader} reads it (got none); sort the nodes"
        raise ModelError(message)
    return names[name]


def _small(value: Noisy) -> Value:
    """What a node may be told beforehand: constants that are no floats, such as shapes."""
    exact = value.exact
    is_told = isinstance(exact, np.ndarray) and value.copies is None and exact.size <= _SMALL
    return exact if is_told and exact.dtype != np.float64 else None


def _hanging(value: Noisy, node: Node) -> frozenset[str]:
    """A decision that is read here and that rounding may change, in words."""
    if value.undecided is None or not value.undecided.any():
        return frozenset()
    count = int(np.count_nonzero(value.undecided))
    return frozenset({f"{count} of {value.undecided.size} decisions before {node.label}"})
