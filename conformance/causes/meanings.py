"""Hypotheses that something else was computed: along other axes, without an attribute, by another operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .seen import Seen

Meaning = Callable[[Seen], bool | None]
"""Whether the outputs are what they would be under a hypothesis; None where it says nothing of such a case."""

_SINGLE_SINCE = 13
_FLATTENED = 11


def newer_axis_rule(seen: Seen) -> bool | None:
    """The axis rule of opset 13 held, its default axis too."""
    return _by_rule_of(seen, _SINGLE_SINCE, seen.case.axis) if seen.row.axis_rule == "flatten" else None


def newer_axis_rule_old_default(seen: Seen) -> bool | None:
    """The axis rule of opset 13 held, with the default axis of before."""
    return _by_rule_of(seen, _SINGLE_SINCE, _axis(seen)) if seen.row.axis_rule == "flatten" else None


def older_axis_rule(seen: Seen) -> bool | None:
    """The axis rule below opset 13 held, its default axis too."""
    return _by_rule_of(seen, _FLATTENED, seen.case.axis) if _has_two_rules(seen) else None


def older_axis_rule_new_default(seen: Seen) -> bool | None:
    """The axis rule below opset 13 held, with the default axis since."""
    return _by_rule_of(seen, _FLATTENED, _axis(seen)) if _has_two_rules(seen) else None


def last_axis(seen: Seen) -> bool | None:
    """It was computed along the last axis, whatever the node says."""
    return seen.is_that_of(axis=-1) if "axis" in seen.row.attributes else None


def first_axis(seen: Seen) -> bool | None:
    """It was computed along the first axis, whatever the node says."""
    return seen.is_that_of(axis=0) if "axis" in seen.row.attributes else None


def second_axis(seen: Seen) -> bool | None:
    """It was computed along axis 1, whatever the node says."""
    return seen.is_that_of(axis=1) if "axis" in seen.row.attributes else None


def default_axis(axis: int) -> Meaning:
    """Return the hypothesis that the axis is another one where the node names none."""

    def hypothesis(seen: Seen) -> bool | None:
        named = "axis" not in seen.row.attributes or "axis" in seen.truth.call.attributes
        return None if named else seen.is_that_of(axis=axis)

    return hypothesis


def ignores(attribute: str) -> Meaning:
    """Return the hypothesis that an attribute is not looked at."""

    def hypothesis(seen: Seen) -> bool | None:
        without: dict[str, Any] = {attribute: None}
        return seen.is_that_of(**without) if attribute in seen.truth.call.attributes else None

    return hypothesis


def ignores_input(name: str) -> Meaning:
    """Return the hypothesis that an input that may be left out is not looked at."""

    def hypothesis(seen: Seen) -> bool | None:
        inputs = list(seen.truth.call.inputs)
        for place, parameter in enumerate(seen.row.inputs[: len(inputs)]):
            if parameter.name == name and inputs[place] is not None:
                return seen.is_that_of(*inputs[:place], None, *inputs[place + 1 :])
        return None

    return hypothesis


def mask_inverted(seen: Seen) -> bool | None:
    """A boolean mask of an Attention lets through what it should hide."""
    inputs = seen.truth.call.inputs
    mask = inputs[3] if seen.case.op == "Attention" and len(inputs) > 3 else None
    if mask is None or mask.dtype != bool:
        return None
    return seen.is_that_of(*inputs[:3], ~mask, *inputs[4:])


def unscaled(seen: Seen) -> bool | None:
    """The scores of an Attention are not scaled."""
    return seen.is_that_of(scale=1.0) if seen.case.op == "Attention" else None


def of_operator(op: str) -> Meaning:
    """Return the hypothesis that another operator of the same inputs was computed."""
    return lambda seen: seen.is_that_of(op=op)


def mean_over_all(seen: Seen) -> bool | None:
    """A mean divides by all labels, the ignored ones too."""
    call = seen.truth.call
    if call.attributes.get("reduction") != "mean" or not seen.is_float:
        return None
    with np.errstate(all="ignore"):
        total = seen.row.evaluate(call.inputs, {**call.attributes, "reduction": "sum"}, rounded=False)[0]
        labels = call.inputs[1]
        assert labels is not None
        exact = (np.asarray(total / labels.size), *seen.truth.exact[1:])
    return seen.is_right_by(exact)


def last_of_equals(seen: Seen) -> bool | None:
    """Of equal elements the last is taken."""
    case, call = seen.case, seen.truth.call
    if case.op == "ArgMax":
        axis: int = call.attributes.get("axis", 0)
        length = seen.x.shape[axis]
        with np.errstate(all="ignore"):
            (found,) = seen.row.evaluate([np.flip(seen.x, axis)], call.attributes)
        return seen.is_right_by((length - 1 - found,))
    if case.op == "Hardmax":
        lines = seen.lines(seen.x)
        found = np.zeros(lines.shape, seen.y.dtype)
        if lines.size:
            np.put_along_axis(found, lines.shape[1] - 1 - lines[:, ::-1].argmax(1)[:, None], 1, 1)
        return bool((seen.lines(seen.y) == found).all())
    return _last_of_equals_in_top_k(seen) if case.op == "TopK" else None


def _last_of_equals_in_top_k(seen: Seen) -> bool | None:
    """Whether the values are right, and of each run of equal values the indices are the last ones."""
    call = seen.truth.call
    axis = call.attributes.get("axis", -1)
    values, indices = (np.moveaxis(y, axis, -1) for y in seen.outputs)
    x = np.moveaxis(seen.x, axis, -1)
    if (
        not x.size
        or not values.size
        or np.isnan(x.astype(np.float64)).any()
        or seen.case.variant == "unsorted"
    ):
        return None
    flipped = x[..., ::-1]
    order = (flipped if not call.attributes.get("largest", 1) else -flipped.astype(np.float64)).argsort(
        -1, kind="stable"
    )
    found = x.shape[-1] - 1 - order[..., : indices.shape[-1]]
    return bool((indices == found).all() and (values == np.take_along_axis(x, found, -1)).all())


def integers_as(kind: type) -> Meaning:
    """Return the hypothesis that integers were compared, or computed with, as floats of a dtype."""

    def hypothesis(seen: Seen) -> bool | None:
        if seen.x.dtype.kind not in "iu":
            return None
        x: NDArray[Any] = seen.x.astype(kind)
        coarse = np.clip(x.astype(np.longdouble), np.iinfo(seen.x.dtype).min, np.iinfo(seen.x.dtype).max)
        return seen.is_that_of(coarse.astype(seen.x.dtype))

    return hypothesis


def rounded_not_cut_off(seen: Seen) -> bool | None:
    """An integer result is rounded, where it is to be cut off."""
    return _as_integers(seen, np.rint) if seen.case.op == "ReduceLogSumExp" else None


def cut_off_not_rounded(seen: Seen) -> bool | None:
    """An integer result is cut off, where it is to be rounded."""
    return _as_integers(seen, np.trunc) if seen.case.op.startswith("QLinear") else None


def _as_integers(seen: Seen, whole: Callable[[Any], Any]) -> bool | None:
    if seen.y.dtype.kind not in "iu":
        return None
    limits = np.iinfo(seen.y.dtype)
    value = whole(np.nan_to_num(seen.exact, nan=0))
    inside = (value > limits.min) & (value < limits.max)
    return bool((np.where(inside, seen.y.astype(np.longdouble) == value, True)).all())


def _axis(seen: Seen) -> int | None:
    return seen.row.default_axis if seen.case.axis is None else seen.case.axis


def _has_two_rules(seen: Seen) -> bool:
    return seen.case.op in ("Softmax", "LogSoftmax", "Hardmax") and seen.row.axis_rule == "single"


def _by_rule_of(seen: Seen, opset: int, axis: int | None) -> bool | None:
    attributes: dict[str, int] = {} if axis is None else {"axis": axis}
    case = replace(seen.case, opset=opset, axis=axis)
    return seen.is_right_in(case, seen.truth.call._replace(attributes=attributes))


def scaled(factor: float) -> Meaning:
    """Return the hypothesis that the logits were multiplied by a factor."""

    def hypothesis(seen: Seen) -> bool | None:
        if not seen.is_float or seen.case.op not in ("Softmax", "LogSoftmax", "Sigmoid", "Softplus"):
            return None
        wide = np.float32 if seen.x.dtype.itemsize == 2 else np.float64
        x = seen.x.astype(np.longdouble) * factor
        with np.errstate(all="ignore"):
            exact = seen.row.evaluate([x.astype(wide)], seen.truth.call.attributes, rounded=False)
        return seen.is_right_by(exact, x.astype(seen.x.dtype))

    return hypothesis
