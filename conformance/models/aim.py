"""
Inputs that are aimed at the logits: made so that a node of the softmax family gets the rows of a family.

From the node's input the model is walked back to one of its own inputs: through copies, reshapings and
transpositions, sums, differences, products and quotients with constants, which are undone exactly up to rounding,
and through matrix products with a constant, whose least-squares solution is taken. The model is then run, and what
really arrives at the node is compared with what was wanted: every number within 1e-3 of the largest of its row,
equals equal, infinities and NaN where they belong. Where the way back ends (at a convolution or a Relu, say) or
does not arrive, the model is cut: the node's input becomes one of the model's own, and what lies before is left out.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softops.opset.graph.files import serialize

from ..cases.calls import arranged
from ..cases.case import Case
from ..cases.families import FAMILIES, NON_CONTIGUOUS, as_view, rows_of
from ..measure.ulp import is_float
from ..runtimes.loading import load, model_inputs
from ..runtimes.softops import SoftopsRuntime
from .cuts import DECISIONS, FamilyNode, Plan, attributes
from .source import Source

Arrays = dict[str, NDArray[Any]]
Doubles = NDArray[np.float64]

_NEAR = 1e-3

_SOLVED_MAX = 2**23
"""Systems with larger matrices are not solved, which would take minutes."""

_COPIES = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout")
_PRODUCTS = ("MatMul", "Gemm")

_UNDO: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "Add": np.subtract,
    "Sub": np.add,
    "Mul": np.divide,
    "Div": np.multiply,
}


class Aimed(NamedTuple):
    """
    A model with inputs that are aimed at one of its nodes.

    Attributes
    ----------
    source
        The model, or what is left of it behind the cut.
    feeds
        Its inputs by name.
    way
        How the node's input came by its values, in words.
    """

    source: Source
    feeds: Arrays
    way: str


def targets(plan: Plan) -> list[FamilyNode]:
    """
    Return the nodes to aim at: going back from each output the first of the family whose input is made of floats.

    Those that read the same tensor are one target.
    """
    found: dict[str, FamilyNode] = {}
    for output in plan.outputs:
        for node in _nearest(plan, output):
            found.setdefault(node.source, node)
    return list(found.values())


def aimed(
    source: Source,
    plan: Plan,
    target: FamilyNode,
    family: str,
    plain: Arrays,
    *,
    seed: int = 0,
    cut: bool = True,
) -> Aimed | None:
    """
    Aim at a node.

    Parameters
    ----------
    target
        One of `targets`.
    family
        A name of `softops.conformance.cases.families.FAMILIES`.
    plain
        Inputs that fit the model; those that the way back does not lead to are kept.
    cut
        Whether the model may be cut.

    Returns
    -------
    Aimed or None
        None where the way back does not arrive, and the model may not be cut.

    Raises
    ------
    ValueError
        There is no such family.
    """
    if family not in FAMILIES:
        message = f"expected a family among {', '.join(FAMILIES)} (got {family!r}); choose one of these"
        raise ValueError(message)
    tensor = target.source
    before = plain[tensor] if tensor in plain else _given(source, plan, tensor, plain)
    wanted = _rows(target, before, family, seed)
    named = f"{tensor}, the input of {target.operator.name}"
    if tensor in plain:
        return Aimed(source, {**plain, tensor: wanted}, f"{named}, is an input of the model")
    walk = _Walk(plan, plain)
    found = walk.back(tensor, wanted.astype(np.float64))
    if found is not None:
        name, values = found
        with np.errstate(over="ignore", invalid="ignore"):
            feeds = {**plain, name: values.reshape(plain[name].shape).astype(plain[name].dtype)}
        if _arrived(_given(source, plan, tensor, feeds), wanted):
            through = ", ".join(dict.fromkeys(reversed(walk.passed)))
            how = " by least squares" if walk.solved else ""
            return Aimed(source, feeds, f"{named}, is reached from the input {name} through {through}{how}")
    if not cut:
        return None
    model = plan.behind(tensor)
    needed = {value.name for value in model_inputs(model)}
    feeds = {**{name: array for name, array in plain.items() if name in needed}, tensor: wanted}
    behind = Source(model, source.folder, source.notes)
    return Aimed(behind, feeds, f"the model is cut at {named}: what lies before it was not run")


def _nearest(plan: Plan, output: str) -> Iterator[FamilyNode]:
    seen, names = set(), [output]
    while names:
        name = names.pop()
        node = plan.producers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        family = plan.family(name)
        takes_floats = family is not None and plan.constant(family.source) is None and family.place == 0
        if family is not None and takes_floats and _is_float(plan, family.source):
            yield family
        elif node.op_type not in DECISIONS:
            names.extend(reversed([entry for entry in node.input if entry]))
        else:
            names.append(node.input[0])


def _is_float(plan: Plan, tensor: str) -> bool:
    dtype = plan.dtype(tensor)
    return dtype is not None and is_float(dtype)


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
        case = Case(
            op=row.op_type,
            domain=row.domain,
            opset=row.since_version,
            dtype=like.dtype.name,
            shape=like.shape,
            family=family,
        )
        made = arranged(row, case, random, target.axis)
    return as_view(made, seed) if family == NON_CONTIGUOUS and made.size else made


def _given(source: Source, plan: Plan, tensor: str, feeds: Arrays) -> NDArray[Any]:
    """Return what our backend makes of ``feeds`` at a tensor."""
    probed = plan.probed()
    names = plan.outputs if probed is None else plan.probed_outputs
    model = source.model if probed is None else probed
    outputs = load(SoftopsRuntime(), serialize(model), source.folder)(feeds)
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


class _Walk:
    """The way back from a tensor to an input of the model, and what it led through."""

    def __init__(self, plan: Plan, plain: Arrays) -> None:
        self.passed: list[str] = []
        self.solved = False
        self._plan = plan
        self._plain = plain

    def back(self, tensor: str, wanted: Doubles) -> tuple[str, Doubles] | None:
        """Return which input makes ``tensor`` what is wanted, and its values."""
        while tensor not in self._plain:
            node = self._plan.producers.get(tensor)
            if node is None:
                return None
            held = {name: self._plan.constant(name) for name in node.input if name}
            open_ends = [name for name, value in held.items() if value is None]
            if len(open_ends) != 1 or list(node.input).count(open_ends[0]) != 1:
                return None
            (tensor,) = open_ends
            try:
                with np.errstate(all="ignore"):
                    before = self._undone(node, tensor, held, wanted)
            except (ValueError, np.linalg.LinAlgError):  # shapes that only broadcast forwards
                return None
            if before is None:
                return None
            self.passed.append(node.op_type)
            wanted = before
        return (tensor, wanted) if wanted.size == self._plain[tensor].size else None

    def _undone(self, node: Any, tensor: str, held: Any, wanted: Doubles) -> Doubles | None:
        kind, options = node.op_type, attributes(node)
        first = node.input[0] == tensor
        if kind in _COPIES:
            return self._reshaped(tensor, wanted) if first else None
        if kind == "Transpose":
            order = options.get("perm", list(range(wanted.ndim))[::-1])
            return wanted.transpose([order.index(axis) for axis in range(wanted.ndim)])
        if kind in _PRODUCTS:
            return (
                self._solved(kind, options, [held.get(name) for name in node.input], wanted)
                if first
                else None
            )
        if "broadcast" in options or len(node.input) != 2 or (kind == "Div" and not first):
            return None
        (other,) = (value.astype(np.float64) for value in held.values() if value is not None)
        undo = _UNDO.get(kind)
        return None if undo is None else undo(wanted, other) if first or kind != "Sub" else other - wanted

    def _reshaped(self, tensor: str, wanted: Doubles) -> Doubles | None:
        if tensor in self._plain:
            shape: tuple[int, ...] = self._plain[tensor].shape
        elif self._plan.rank(tensor) is not None and self._plan.dims(tensor).count(None) <= 1:
            shape = tuple(-1 if length is None else length for length in self._plan.dims(tensor))
        else:
            return None
        known = math.prod(length for length in shape if length > 0)
        fits = wanted.size % known == 0 if -1 in shape else wanted.size == known
        return wanted.reshape(shape) if fits else None

    def _solved(
        self, kind: str, options: dict[str, Any], operands: list[NDArray[Any] | None], wanted: Doubles
    ) -> Doubles | None:
        weight = operands[1]
        if weight is None or weight.ndim != 2 or weight.size > _SOLVED_MAX or options.get("transA"):
            return None
        if not np.isfinite(wanted).all():
            return None
        matrix = weight.astype(np.float64)
        if kind == "Gemm":
            matrix = options.get("alpha", 1.0) * (matrix.T if options.get("transB") else matrix)
            if len(operands) > 2 and operands[2] is not None:
                wanted = wanted - options.get("beta", 1.0) * operands[2].astype(np.float64)
        self.solved = True
        return np.asarray(wanted @ np.linalg.pinv(matrix))
