"""
Inputs that are aimed at the logits: made so that a node of the softmax family gets the rows of a family.

From the node's input the model is walked back to one of its own inputs (`inversion`). It is then run, and what really
arrives at the node is compared with what was wanted: every number within 1e-3 of the largest of its row, equals equal,
infinities and NaN where they belong. Where the way back ends (at a convolution or a Relu, say) or does not arrive, the
model is cut: the node's input becomes one of the model's own, and what lies before is left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset import ModelError
from softops.opset.graph.files import serialize

from ..cases.calls import arranged, case_of, line_axis
from ..cases.families import FAMILIES, NON_CONTIGUOUS, as_view, rows_of
from ..errors import ModelNotRunError, check_choice
from ..measure.ulp import is_float
from ..runtimes.loading import load, model_inputs
from ..runtimes.softops import SoftopsRuntime
from ..steps.cuts import Cuts, without_what_makes
from ..steps.graph import DECISIONS, Arrays, FamilyNode, ModelGraph
from ..steps.source import Source
from .inputs import OTHER_AXES
from .inversion import Inversion

_NEAR = 1e-3


class Targeted(NamedTuple):
    """The model, or what is left behind the cut, its inputs by name, and how the node came by its values, in words."""

    graph: ModelGraph
    feeds: Arrays
    way: str


def targets(graph: ModelGraph) -> list[FamilyNode]:
    """
    Return the nodes to aim at: going back from each output the first of the family whose input is made of floats.

    Those that read the same tensor are one target.
    """
    found: dict[str, FamilyNode] = {}
    for output in graph.outputs:
        for node in _nearest(graph, output):
            found.setdefault(node.source, node)
    return list(found.values())


def targeted(
    graph: ModelGraph, target: FamilyNode, family: str, plain: Arrays, *, seed: int = 0, cut: bool = True
) -> Targeted | None:
    """
    Make inputs that give a node the rows of a family.

    Parameters
    ----------
    target
        One of `targets`.
    family
        A name of `softops.conformance.cases.families.FAMILIES`.
    plain
        Inputs that fit the model; those that the way back does not lead to are kept.
    cut
        Whether the model may be cut; if not, None is returned where the way back does not arrive.
    """
    check_choice("a family", family, FAMILIES)
    tensor = target.source
    inversion = Inversion(graph, plain)
    if not cut and not inversion.leads(tensor):
        return None
    try:
        before, runs = plain[tensor] if tensor in plain else _given(graph, tensor, plain), True
    except ModelNotRunError:
        # Behind a node that nothing here computes; behind the cut there may be none.
        like = _declared(graph, tensor, plain) if cut else None
        if like is None:
            raise
        before, runs = like, False
    wanted = _rows(target, before, family, seed)
    named = f"{tensor}, the input of {target.operator.name}"
    if tensor in plain:
        return Targeted(graph, {**plain, tensor: wanted}, f"{named}, is an input of the model")
    found = inversion.back(tensor, wanted.astype(np.float64)) if runs else None
    if found is not None:
        name, values = found
        with np.errstate(over="ignore", invalid="ignore"):
            feeds = {**plain, name: values.reshape(plain[name].shape).astype(plain[name].dtype)}
        if _arrived(_given(graph, tensor, feeds), wanted):
            through = ", ".join(dict.fromkeys(reversed(inversion.passed)))
            how = " by least squares" if inversion.solved else ""
            return Targeted(graph, feeds, f"{named}, is reached from the input {name} through {through}{how}")
    if not cut:
        return None
    model = without_what_makes(graph, tensor)
    needed = {value.name for value in model_inputs(model)}
    feeds = {**{name: array for name, array in plain.items() if name in needed}, tensor: wanted}
    behind = ModelGraph(Source(model, graph.source.folder, graph.source.notes))
    return Targeted(behind, feeds, f"the model is cut at {named}: what lies before it was not run")


def _nearest(graph: ModelGraph, output: str) -> Iterator[FamilyNode]:
    seen, names = set(), [output]
    while names:
        name = names.pop()
        node = graph.producers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        family = graph.family_node(name)
        if family is not None and family.place == 0 and _is_made_of_floats(graph, family.source):
            yield family
        elif node.op_type not in DECISIONS:
            names.extend(reversed([entry for entry in node.input if entry]))
        else:
            names.append(node.input[0])


def _is_made_of_floats(graph: ModelGraph, tensor: str) -> bool:
    dtype = graph.dtype(tensor)
    return dtype is not None and is_float(dtype) and graph.constant(tensor) is None


def _rows(target: FamilyNode, like: NDArray[Any], family: str, seed: int) -> NDArray[Any]:
    row = target.operator
    name = f"{row.op_type}/{family}/{like.shape}/{target.axis}/{seed}"
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if row.axis_rule is None:
        # An elementwise operator has no rows of its own; an attention or a loss has, but not of its first input.
        length = like.shape[-1] if like.ndim else 1
        made = rows_of(family, random, like.size // max(length, 1), length, like.dtype.name).reshape(
            like.shape
        )
    else:
        place = line_axis(row, like.ndim, target.axis)
        if place is not None and not 0 <= place < like.ndim + (row.axis_rule == "flatten"):
            message = (
                f"expected an axis of {row.name} within its input of rank {like.ndim} (got {target.axis}); "
                "export the model again"
            )
            raise ModelError(message)
        case = case_of(row, like.dtype.name, like.shape, family)
        made = arranged(row, case, random, target.axis)
    return as_view(made, seed) if family == NON_CONTIGUOUS and made.size else made


def _declared(graph: ModelGraph, tensor: str, feeds: Arrays) -> NDArray[Any] | None:
    """Return zeros of a tensor's declared type, open axes as those of made up inputs; None where there is none."""
    dims, dtype = graph.dims(tensor), graph.dtype(tensor)
    if dims is None or dtype is None:
        return None
    open_lengths = [next((len(x) for x in feeds.values() if x.ndim), 1), *[OTHER_AXES] * (len(dims) - 1)]
    shape = [length if dim is None else dim for dim, length in zip(dims, open_lengths, strict=False)]
    return np.zeros(shape, dtype)


def _given(graph: ModelGraph, tensor: str, feeds: Arrays) -> NDArray[Any]:
    """Return what our backend makes of ``feeds`` at a tensor."""
    variant = Cuts(graph).given()
    content = graph.content if variant is None else serialize(variant.model)
    names = graph.outputs if variant is None else variant.outputs
    outputs = load(SoftopsRuntime(fuse=False), content, graph.source.folder)(feeds)
    return np.asarray(outputs[names.index(tensor)])


def _arrived(actual: NDArray[Any], wanted: NDArray[Any]) -> bool:
    left, right = actual.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(right)
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True) or not right.ndim:
        return False
    size = np.abs(np.where(finite, right, 0)).max(-1, keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):
        if not (np.abs(left - right) <= _NEAR * size)[finite].all():
            return False
        order = np.argsort(right, -1)
        steps = [np.diff(np.take_along_axis(x, order, -1), axis=-1) for x in (left, right)]
    # What was to be equal is equal still.
    return bool((steps[0][steps[1] == 0] == 0).all())
