"""A graph made ready to run, as `softops.opset.backend` hands it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import BackendRep

from ..errors import ModelError, UnknownOpsetError, one_line
from ..graph.domains import opset_versions
from ..graph.functions import FunctionKey, functions_by_key
from .feeds import Feeds
from .pickled import with_values, without_values
from .plan import Watch
from .planner import plan_graph
from .value_info import ValueInfo, value_info


class SoftopsBackendRep(BackendRep):
    """
    A graph ready to be run any number of times; made by `prepare`.

    It can be pickled, for another process of yours (`multiprocessing`, joblib): the pickle holds the model, and is
    prepared again where it is loaded. Like any pickle it can run anything there, so load those of your own alone.
    """

    def __init__(
        self,
        graph: onnx.GraphProto,
        opsets: Mapping[str, int],
        library: Mapping[FunctionKey, onnx.FunctionProto],
        *,
        fuse: bool = False,
    ) -> None:
        initialized = {tensor.name for tensor in graph.initializer}
        initialized |= {tensor.values.name for tensor in graph.sparse_initializer}
        try:
            self._plan = plan_graph(graph, dict(opsets), library, fuse=fuse)
        except (ModelError, UnknownOpsetError, MemoryError):
            raise
        except Exception as error:  # attributes of the wrong kind and the like, in a model nobody checked
            message = f"expected a model that can be run (got {one_line(error)}); check it with onnx.checker"
            raise ModelError(message) from error
        # A copy, as a model that was given may be changed; it takes none of the memory of the weights.
        self._model, self._fuse = without_values(graph, opsets, library), fuse
        graph = self._model.graph
        # NumPy keeps in a context whether it warns; infinities and NaNs are values of a model like any other.
        self._quiet = copy_context()
        self._quiet.run(np.seterr, all="ignore")
        defaults = {
            value.name: self._plan.template[slot]
            for value, slot in zip(graph.input, self._plan.inputs, strict=True)
            if value.name in initialized
        }
        self._feeds = Feeds(graph.input, defaults)
        self._inputs = [value_info(value) for value in graph.input if value.name not in initialized]
        self._outputs = [value_info(value) for value in graph.output]

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: self._plan.template[slot] for name, slot in self._plan.initializers.items()}
        return _made_again, (self._model.SerializeToString(), values, self._fuse)

    @property
    def input_names(self) -> list[str]:
        """The inputs to be given, in order; those with an initializer may be given by name too."""
        return [value.name for value in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """The outputs in order."""
        return [value.name for value in self._outputs]

    @property
    def inputs(self) -> list[ValueInfo]:
        """Name, type and shape of each input to be given, in order."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[ValueInfo]:
        """Name, type and shape of each output, in order, as the model declares them."""
        return list(self._outputs)

    # A list like onnxruntime's, where the base class promises a tuple: callers may change it.
    def run(  # type: ignore[override]
        self, inputs: Mapping[str, Any] | Sequence[Any], *, watch: Watch | None = None, **kwargs: Any
    ) -> list[Any]:
        """
        Run the model once.

        Parameters
        ----------
        inputs
            Arrays by input name, or in the order of `input_names`.
        watch
            Called after each node, or nodes that are run as one, with how many are done, of how many, and how many
            bytes it made.

        Returns
        -------
        list
            The outputs in order: arrays of the caller's own, lists of arrays for sequences, None for an
            optional that is empty.

        Raises
        ------
        FeedError
            An input is missing, unknown, or of another dtype, rank or fixed dimension than the model's.
        NodeError
            What reached a node has shapes or dtypes that it cannot work on.
        TypeError
            An operator of the softmax family got a dtype it does not take.
        numpy.exceptions.AxisError
            An axis of such an operator lies outside the array's rank.
        """
        if kwargs:
            message = f"expected no options (got {', '.join(kwargs)}); leave them out"
            raise TypeError(message)
        values = self._feeds.values(inputs)
        # A copy, as two threads cannot be in one context; a quarter of what entering np.errstate takes.
        return self._quiet.copy().run(self._plan.run_for_caller, values, watch)


def _made_again(content: bytes, values: Mapping[str, Any], fuse: bool) -> SoftopsBackendRep:
    model = with_values(content, values)
    opsets, library = opset_versions(model.opset_import), functions_by_key(model.functions)
    return SoftopsBackendRep(model.graph, opsets, library, fuse=fuse)
