"""What goes into a model, compared with what its inputs ask for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ..errors import FeedError
from ..graph.given import as_array
from ..graph.types import check_element_type, dimension_of, dtype_of

_TEXT_KINDS = "OUST"


class Feeds:
    """
    The inputs of a graph, ready to compare what is given with them.

    Parameters
    ----------
    inputs
        The graph's inputs.
    defaults
        The values of those that have an initializer, and may be left out.
    """

    def __init__(self, inputs: Iterable[onnx.ValueInfoProto], defaults: Mapping[str, Any]) -> None:
        self._inputs = list(inputs)
        for value in self._inputs:
            check_element_type(value)
        self._defaults = defaults
        required = [value for value in self._inputs if value.name not in defaults]
        self._required = [value.name for value in required]
        self._plain = [_plain(value.type) for value in required]
        self._whole = len(required) == len(self._inputs) and None not in self._plain

    def values(self, given: Mapping[str, Any] | Sequence[Any]) -> Sequence[Any]:
        """
        Return ``given`` in the order of the graph's inputs, ready to run.

        Parameters
        ----------
        given
            Values by name, or in the order of the inputs: of all of them, or of those that have no initializer.

        Raises
        ------
        FeedError
            A missing or unknown name, a wrong count, dtype, rank or fixed dimension.
        """
        if self._whole and (values := self._quick(given)) is not None:
            return values
        named = _by_name(self._inputs, self._defaults, given)
        types = {value.name: value.type for value in self._inputs}
        checked = {name: _check(value, types[name], f"input {name!r}") for name, value in named.items()}
        return [
            checked[value.name] if value.name in checked else self._defaults[value.name]
            for value in self._inputs
        ]

    def _quick(self, given: Any) -> Sequence[Any] | None:
        """The values, if they are what is expected to the letter; None where a closer look is needed."""
        if len(given) != len(self._required) if type(given) in (dict, list) else True:
            return None
        try:
            values = [given[name] for name in self._required] if type(given) is dict else given
        except KeyError:
            return None
        for value, (dtype, rank, lengths) in zip(values, self._plain, strict=True):  # type: ignore[misc]
            if type(value) is not np.ndarray or value.dtype is not dtype or value.ndim != rank:
                return None
            for place, length in lengths:
                if value.shape[place] != length:
                    return None
        result: Sequence[Any] = values
        return result


_Plain = tuple[np.dtype[Any], int, tuple[tuple[int, int], ...]]


def _plain(expected: onnx.TypeProto) -> _Plain | None:
    """The dtype, the rank and the fixed (place, length) of a tensor of numbers; None for all other types."""
    tensor = expected.tensor_type
    if not tensor.HasField("shape") or tensor.elem_type in (
        onnx.TensorProto.UNDEFINED,
        onnx.TensorProto.STRING,
    ):
        return None
    lengths = map(dimension_of, tensor.shape.dim)
    fixed = tuple((place, length) for place, length in enumerate(lengths) if isinstance(length, int))
    return dtype_of(tensor.elem_type, "an input"), len(tensor.shape.dim), fixed


def _by_name(
    inputs: Sequence[onnx.ValueInfoProto], optional: Container[str], given: Mapping[str, Any] | Sequence[Any]
) -> dict[str, Any]:
    names = [value.name for value in inputs]
    required = [name for name in names if name not in optional]
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            message = f"expected inputs named {_listed(names)} (got {_listed(unknown)}); rename or drop them"
            raise FeedError(message)
        if missing := [name for name in required if name not in given]:
            message = (
                f"expected inputs named {_listed(required)} (got {_listed(given)}); add {_listed(missing)}"
            )
            raise FeedError(message)
        return dict(given)
    if not isinstance(given, list | tuple):
        message = (
            f"expected the inputs as a list or as a dict of arrays (got {type(given).__name__}); "
            f"pass {{{required[0] if required else 'name'!r}: array}} or [array]"
        )
        raise FeedError(message)
    for candidate in (required, names):
        if len(given) == len(candidate):
            return dict(zip(candidate, given, strict=True))
    message = (
        f"expected {len(required)} inputs, {_listed(required)} (got {len(given)}); pass one array for each"
    )
    raise FeedError(message)


def _check(value: Any, expected: onnx.TypeProto, what: str) -> Any:
    """The value as an array or a list of arrays of the expected type; other kinds pass as they are."""
    if expected.HasField("tensor_type"):
        return _check_tensor(value, expected.tensor_type, what)
    if expected.HasField("sequence_type"):
        if not isinstance(value, list | tuple):
            message = (
                f"{what} expected a list of arrays (got {type(value).__name__}); put the array in a list"
            )
            raise FeedError(message)
        element = expected.sequence_type.elem_type
        return [_check(item, element, f"{what}[{index}]") for index, item in enumerate(value)]
    if expected.HasField("optional_type") and value is not None:
        return _check(value, expected.optional_type.elem_type, what)
    return value


def _check_tensor(value: Any, expected: onnx.TypeProto.Tensor, what: str) -> NDArray[Any]:
    if value is None:
        message = f"{what} expected an array (got None); pass an array"
        raise FeedError(message)
    try:
        array = as_array(value, what)
    except TypeError as error:
        raise FeedError(str(error)) from None
    if expected.elem_type == onnx.TensorProto.STRING:
        if array.dtype.kind not in _TEXT_KINDS:
            message = f"{what} expected strings (got {array.dtype}); convert with x.astype(object)"
            raise FeedError(message)
        array = array.astype(object)
    elif expected.elem_type != onnx.TensorProto.UNDEFINED:
        dtype = dtype_of(expected.elem_type, what)
        if array.dtype != dtype:
            message = f"{what} expected {dtype} (got {array.dtype}); convert with x.astype({dtype.name!r})"
            raise FeedError(message)
    if expected.HasField("shape"):
        _check_shape(array.shape, expected.shape, what)
    return array


def _check_shape(shape: tuple[int, ...], expected: onnx.TensorShapeProto, what: str) -> None:
    dims = [dimension_of(dim) for dim in expected.dim]
    listed = f"[{', '.join('?' if dim is None else str(dim) for dim in dims)}]"
    if len(dims) != len(shape):
        message = (
            f"{what} expected rank {len(dims)}, shape {listed} (got rank {len(shape)}, shape {list(shape)}); "
            "reshape it"
        )
        raise FeedError(message)
    # Symbolic dimensions are labels that exporters set with little care: what they equal is not checked.
    if any(isinstance(dim, int) and dim != length for dim, length in zip(dims, shape, strict=True)):
        message = (
            f"{what} expected shape {listed} (got {list(shape)}); the dimensions given as numbers are fixed"
        )
        raise FeedError(message)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
