"""Outputs that were made elsewhere: which array is which tensor of the model, and whether it fits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from softops.export.sources.arrays import read_npz
from softops.opset.graph.given import as_array

from ..measure.metrics import dtype_name
from ..measure.ulp import is_float
from ..steps.graph import Arrays, ModelGraph

Given = ArrayLike | Mapping[str, ArrayLike] | Sequence[ArrayLike] | str | os.PathLike[str]

_SHOWN = 8
_WITHOUT_NAMES = re.compile(r"arr_(\d+)")
"""What numpy.savez calls arrays that were given no name."""


def given_outputs(graph: ModelGraph, feeds: Arrays, outputs: Given, names: Sequence[str] | None) -> Arrays:
    """
    Return what was given by the name of its tensor: every output of the model, and perhaps tensors in between.

    Parameters
    ----------
    feeds
        The model's inputs. Among what was given they are left out, if they are the same.
    outputs
        Arrays by name; a list of them in the order of ``names``, or in that of the model's outputs; one array for a
        model of one output; or the path of an ``.npz`` of either, without pickles.

    Raises
    ------
    TypeError
        One is no plain array, such as a sequence or a map.
    ValueError
        An output is missing, of a name the model has no tensor, or an input is not the same; the model has outputs
        that are no tensors.
    """
    _check_tensors(graph)
    found = _by_name(graph, outputs, names)
    known = dict.fromkeys((*graph.outputs, *graph.producers, *feeds))
    if unknown := [name for name in found if name not in known]:
        raise ValueError(_unknown(graph, unknown, known))
    if missing := [name for name in graph.compared if name not in found]:
        message = (
            f"expected an array for each of the outputs {_listed(graph.compared)} (got {_listed(found)}; none for "
            f"{_listed(missing)}); save what is missing, too"
        )
        raise ValueError(message)
    for name in feeds.keys() & found.keys() - set(graph.outputs):
        _check_same_input(name, found.pop(name), feeds[name])
    return found


def typed(name: str, array: NDArray[Any], dtype: str, computed: str | None = None) -> NDArray[Any]:
    """
    Return what was given for a tensor of that dtype, a bfloat16 from its bits.

    ``computed`` is another dtype that it may be of: that in which all is said to be computed. TypeError: of neither.
    """
    got = array.dtype
    if got.kind == "S":
        array = np.char.decode(array, "utf-8", "surrogateescape")
    if "bfloat16" in (dtype, computed) and (
        got == np.dtype("V2") or (got == np.uint16 and dtype != "uint16")
    ):
        array = array.view(ml_dtypes.bfloat16)
    if dtype_name(array) not in (dtype, computed):
        message = f"expected {name} in {dtype} (got {dtype_name(array)}); {_conversion(array, dtype)}"
        raise TypeError(message)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse what was given for a tensor of another shape, by a ValueError."""
    if array.shape != shape:
        message = (
            f"expected {name} of shape {list(shape)} for these inputs (got {list(array.shape)}); give what was made "
            "of the same inputs, in the model's own layout"
        )
        raise ValueError(message)


def check_nan(name: str, array: NDArray[Any], exact: NDArray[Any]) -> None:
    """Refuse NaN where the exact run of a model has a number, and a number where it has NaN, by a ValueError."""
    given, made = np.isnan(array), np.isnan(exact)
    apart = given != made
    if not apart.any():
        return
    place = tuple(int(index) for index in np.argwhere(apart)[0])
    which = given[place]
    count = int(np.count_nonzero(apart & given if which else apart & made))
    many = f"{count:,} of {array.size:,} elements" + (f", the first at {list(place)}" if place else "")
    if which:
        message = (
            f"expected {name} without NaN where the model makes a number of these inputs (got NaN in {many}); "
            "look for an overflow or other inputs where it was made, and make it anew"
        )
    else:
        message = (
            f"expected NaN in {name} where the model makes it of these inputs (got a number in {many}); look "
            "for NaN and infinities in the inputs, and give what was made of these"
        )
    raise ValueError(message)


def _conversion(array: NDArray[Any], dtype: str) -> str:
    numbers = array.dtype.kind == "f" or is_float(array.dtype)
    if array.dtype.kind in "fiu" and dtype != "string" and numbers == ("float" in dtype):
        return f"convert it with .astype({dtype!r})"
    return (
        "give the model's own output; if this is another one of it, give them by name or in the model's order"
    )


def _check_tensors(graph: ModelGraph) -> None:
    for value in graph.model.graph.output:
        kind = value.type.WhichOneof("value")
        if kind not in ("tensor_type", None):
            message = (
                f"expected a model whose outputs are tensors ({value.name} is a {kind.removesuffix('_type')}); "
                "take it out of the model's outputs"
            )
            raise ValueError(message)


def _by_name(graph: ModelGraph, outputs: Given, names: Sequence[str] | None) -> Arrays:
    arrays: Any = read_npz(Path(outputs)) if isinstance(outputs, str | os.PathLike) else outputs
    if isinstance(arrays, Mapping):
        arrays = _without_names(graph, arrays, names)
    if isinstance(arrays, Mapping):
        if names is not None:
            message = "expected names for a list of outputs (got outputs by name as well); leave one out"
            raise ValueError(message)
        return {str(name): _plain(str(name), array) for name, array in arrays.items()}
    listed = list(arrays) if isinstance(arrays, list | tuple) else [arrays]
    wanted = list(graph.outputs if names is None else names)
    if len(set(wanted)) < len(wanted):
        message = f"expected a name for each output (got one twice in {_listed(wanted)}); name each once"
        raise ValueError(message)
    if len(listed) != len(wanted):
        what = "the model's outputs" if names is None else "names"
        message = (
            f"expected as many arrays as {what}, {len(wanted)}: {_listed(wanted)} (got {len(listed)}); "
            "give one for each, in that order, or arrays by name"
        )
        raise ValueError(message)
    return {name: _plain(name, array) for name, array in zip(wanted, listed, strict=True)}


def _without_names(
    graph: ModelGraph, arrays: Mapping[str, Any], names: Sequence[str] | None
) -> Mapping[str, Any] | list[Any]:
    """Return a list of arrays that a file holds under no names, in their order."""
    places = [_WITHOUT_NAMES.fullmatch(str(name)) for name in arrays]
    if not arrays or not all(places) or (names is None and any(name in graph.producers for name in arrays)):
        return arrays
    return [arrays[name] for name in sorted(arrays, key=lambda name: int(name.removeprefix("arr_")))]


def _plain(name: str, value: Any) -> NDArray[Any]:
    try:
        array = as_array(value, f"output {name}")
    except (ValueError, RuntimeError, BufferError) as error:  # of unequal lengths; of torch, with a gradient
        said = " ".join(str(error).split())
        message = (
            f"expected an array for the output {name} (got {type(value).__name__}: {said}); give a plain one"
        )
        raise TypeError(message) from error
    if dtype_name(array) == "object":
        kind = "a map" if isinstance(value, Mapping) else "a sequence or Python objects"
        message = f"expected an array for the output {name} (got {kind}); give the tensor's own numbers"
        raise TypeError(message)
    return array


def _check_same_input(name: str, given: NDArray[Any], fed: NDArray[Any]) -> None:
    same = given.shape == fed.shape and (
        np.array_equal(given, fed) or given.tobytes() == fed.tobytes()  # with NaN, and bfloat16 as bits
    )
    if not same:
        message = (
            f"expected outputs made of the same inputs ({name}, given beside them, is not the input {name}); "
            "give inputs and outputs of one run"
        )
        raise ValueError(message)


def _unknown(graph: ModelGraph, unknown: Sequence[str], known: Iterable[str]) -> str:
    close = get_close_matches(unknown[0], list(known), n=1)
    cure = f"is {close[0]} meant?" if close else "save arrays under the model's own names"
    return (
        f"expected the outputs {_listed(graph.compared)}, or tensors in between by their names (the model has no "
        f"{_listed(unknown)}); {cure}"
    )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return (", ".join(every[:_SHOWN]) or "none") + more
