"""
All scopes of a model as its readers need them: subgraphs, and a function of the model once for each call.

The body of a call has the attributes and the types of that call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from ..errors import ModelError, one_line
from ..graph.domains import opset_versions
from ..graph.expansion import check_expansion
from ..graph.functions import FunctionKey, bound_function, called_function, functions_by_key
from ..graph.inference import infer_types
from ..graph.scopes import Scope, Value
from ..graph.types import ValueType, value_info
from ..graph.walk import named_subgraphs

# More calls than these nobody could read.
_MOST_READ = 2000
# Nobody writes models that lie deeper in themselves, and Python does not follow much deeper.
_MOST_DEEP = 150


_Body = tuple[FunctionKey, tuple[bytes, ...], tuple[tuple[str, ValueType], ...]]
"""A function with the attributes of a call, and its types there: all that its inner types depend on."""


class Calls:
    """
    All scopes of a model, and notes on what could not be known.

    What has a default counts as known unless ``overridable``, although a caller may override it.

    Iterating gives every node with its scope, in the order of the graph: what a node runs inside comes right
    behind it, functions that nothing calls at the end.
    """

    def __init__(self, model: ModelProto, *, overridable: bool = False) -> None:
        self._overridable = overridable
        self.notes: dict[str, None] = {}
        self._model = model
        self._library = functions_by_key(model.functions)
        self._called: set[FunctionKey] = set()
        self._calls = 0
        self._bodies: dict[_Body, GraphProto] = {}
        self._can_be_inferred = self._can_be_followed(model)
        # Before there were imports, opset 1 was all there was.
        opsets = opset_versions(model.opset_import) or {"": 1}
        main = Scope(self._inferred(model), opsets, overridable=overridable, where="main graph")
        self.main = self._open(main, "", ())
        idle = [function for key, function in self._library.items() if key not in self._called]
        alone = [self._call(function, NodeProto(), None, (), 0) for function in idle]
        self._outermost = [self.main, *(scope for scope in alone if scope is not None)]

    def __iter__(self) -> Iterator[tuple[Scope, NodeProto]]:
        waiting = [(scope, node) for scope in reversed(self._outermost) for node in reversed(scope.nodes)]
        while waiting:
            scope, node = waiting.pop()
            yield scope, node
            inner = scope.inner.get(id(node), {}).values()
            waiting.extend((inside, step) for inside in reversed(inner) for step in reversed(inside.nodes))

    def _can_be_followed(self, model: ModelProto) -> bool:
        """Whether shape inference, which follows every call, comes to an end; a note where it does not."""
        try:
            check_expansion(model)
        except ModelError as error:
            self.notes[f"no shapes were inferred: {error}"] = None
            return False
        return True

    def _open(self, scope: Scope, path: str, calls: tuple[FunctionKey, ...], depth: int = 0) -> Scope:
        """Fill in the scopes of what the nodes run inside, whose names begin with ``path``."""
        if depth > _MOST_DEEP:
            self.notes[f"calls and graphs more than {_MOST_DEEP} deep in each other are not looked into"] = (
                None
            )
            return scope
        for node in scope.nodes:
            function = called_function(node, self._library, scope.opset_of(node))
            if function is not None:
                call = self._call(function, node, scope, calls, depth)
                scope.inner[id(node)] = {} if call is None else {"": call}
                continue
            for name, graph in named_subgraphs(node):
                where = f"{path}{label_of(node)}.{name}"
                inner = Scope(
                    graph,
                    scope.opsets,
                    parent=scope,
                    opener=node,
                    overridable=self._overridable,
                    where=where,
                )
                scope.inner.setdefault(id(node), {})[name] = self._open(
                    inner, f"{where} / ", calls, depth + 1
                )
        return scope

    def _call(
        self,
        function: FunctionProto,
        call: NodeProto,
        caller: Scope | None,
        calls: tuple[FunctionKey, ...],
        depth: int,
    ) -> Scope | None:
        key = (function.domain, function.name, function.overload)
        name = f"function {key[0] or 'ai.onnx'}.{key[1]}" + (f":{key[2]}" if key[2] else "")
        self._called.add(key)
        self._calls += 1
        if key in calls:
            self.notes[f"{name} calls itself: its inner calls are not looked into"] = None
            return None
        if self._calls > _MOST_READ:
            self.notes[f"only the first {_MOST_READ} calls of functions are looked into"] = None
            return None
        given = {} if caller is None else dict(zip(function.input, call.input, strict=False))
        arguments = {formal: Value(caller, name) for formal, name in given.items() if caller and name}
        types = {formal: value.scope.value_type(value.name) for formal, value in arguments.items()}
        if caller is not None:  # what is known of the results may be all that is known of what is inside
            types |= {
                formal: caller.value_type(name)
                for formal, name in zip(function.output, call.output, strict=False)
                if name and formal not in types
            }
        attributes = tuple(attribute.SerializeToString(deterministic=True) for attribute in call.attribute)
        body = key, attributes, tuple(types.items())
        if body not in self._bodies:
            self._bodies[body] = self._body(function, call, types)
        where = name if caller is not None else f"{name} (never called)"
        opsets = opset_versions(function.opset_import)
        scope = Scope(self._bodies[body], opsets, arguments=arguments, overridable=False, where=where)
        return self._open(scope, f"{where} / ", (*calls, key), depth + 1)

    def _body(self, function: FunctionProto, call: NodeProto, types: Mapping[str, ValueType]) -> GraphProto:
        """The function as a graph, its attributes and types those of a call."""
        bound = bound_function(function, call)
        graph = GraphProto(name=function.name, node=bound.node, value_info=function.value_info)
        graph.input.extend(value_info(name, types.get(name, ValueType())) for name in function.input)
        graph.output.extend(value_info(name, types.get(name, ValueType())) for name in function.output)
        model = ModelProto(
            ir_version=self._model.ir_version,
            opset_import=function.opset_import,
            functions=self._model.functions,
            graph=graph,
        )
        return self._inferred(model)

    def _inferred(self, model: ModelProto) -> GraphProto:
        if not self._can_be_inferred:
            return model.graph
        try:
            return infer_types(model).graph
        except Exception as error:  # whatever shape inference stumbles over: the report does without it
            where = f"of {model.graph.name}" if model.graph.name else "of the model"
            self.notes[f"the shapes {where} could not be inferred ({one_line(error)})"] = None
            return model.graph


def label_of(node: NodeProto) -> str:
    """What to call a node: its name, or the value it makes."""
    return node.name or next((name for name in node.output if name), node.op_type)
