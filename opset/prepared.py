"""A graph made ready to run, as `softops.opset.backend` hands it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import BackendRep

from .errors import ModelError, UnknownOpsetError, UnsupportedModelError, one_line
from .evaluator import Evaluator
from .feeds import check_feeds
from .functions import FunctionKey


class SoftopsBackendRep(BackendRep):
    """A graph ready to be run any number of times; made by `prepare`."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        opsets: Mapping[str, int],
        library: Mapping[FunctionKey, onnx.FunctionProto],
    ) -> None:
        self._inputs = list(graph.input)
        self._initialized = {tensor.name for tensor in graph.initializer}
        self._evaluator = _built(graph, opsets, library)

    @property
    def input_names(self) -> list[str]:
        """The inputs to be given, in order; those with an initializer may be given by name too."""
        return [value.name for value in self._inputs if value.name not in self._initialized]

    @property
    def output_names(self) -> list[str]:
        """The outputs in order."""
        return list(self._evaluator.output_names)

    # A list like onnxruntime's, where the base class promises a tuple: callers may change it.
    def run(self, inputs: Mapping[str, Any] | Sequence[Any], **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """
        Run the model once.

        Parameters
        ----------
        inputs
            Arrays by input name, or in the order of `input_names`.

        Returns
        -------
        list
            The outputs in order: arrays of the caller's own, lists of arrays for sequences, None for an
            optional that is empty.

        Raises
        ------
        FeedError
            An input is missing, unknown, or of another dtype, rank or fixed dimension than the model's.
        TypeError
            An operator got a dtype it does not take.
        numpy.exceptions.AxisError
            An axis of the model lies outside the array's rank.
        """
        if kwargs:
            message = f"expected no options (got {', '.join(kwargs)}); leave them out"
            raise TypeError(message)
        feeds = check_feeds(self._inputs, self._initialized, inputs)
        with np.errstate(all="ignore"):  # infinities and NaNs are values of a model like any other
            outputs = self._evaluator.run(None, feeds)
        return [_own(output) for output in outputs]


def _built(
    graph: onnx.GraphProto, opsets: Mapping[str, int], library: Mapping[FunctionKey, onnx.FunctionProto]
) -> Evaluator:
    try:
        return Evaluator.with_library(library)(graph, opsets=dict(opsets))
    except UnknownOpsetError:
        raise
    except NotImplementedError as error:
        message = (
            f"expected operators of ONNX or functions of the model ({one_line(error)}); export without it"
        )
        raise UnsupportedModelError(message) from error
    except Exception as error:  # whatever the reference evaluator stumbles over
        message = f"expected a model that can be run (got {one_line(error)}); check it with onnx.checker"
        raise ModelError(message) from error


def _own(output: Any) -> Any:
    """The output as an array that shares memory with no input and no constant of the model."""
    return output if not isinstance(output, np.ndarray) else np.array(output, order="C")
