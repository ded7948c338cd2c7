"""
What makes the inputs and attributes of each operator's node.

A maker takes the operator's row, the case and a seeded generator. Which variants there are stands in `variations`; what
they mean, here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softops.opset import Operator

from ..measure.ulp import largest
from .calls import Call, arranged, lines
from .case import Case
from .families import dtype_of, rows_of
from .rows import TOP, masks

Array = NDArray[Any]
Maker = Callable[[Operator, Case, np.random.Generator], Call]


def _axis(case: Case) -> dict[str, Any]:
    return {} if case.axis is None else {"axis": case.axis}


def along_axis(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """An operator along an axis, with no attribute but that."""
    return Call([arranged(row, case, random, case.axis)], _axis(case))


def elementwise(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """An elementwise operator."""
    # One row for each case of the family, though the operator does not see rows.
    count, length = (
        (case.shape[0], math.prod(case.shape[1:])) if len(case.shape) > 1 else (1, math.prod(case.shape))
    )
    if not count * length:
        return Call([np.zeros(case.shape, dtype_of(case.dtype))], {})
    return Call([rows_of(case.family, random, count, length, case.dtype).reshape(case.shape)], {})


def reduction(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """
    Variants: keepdims=0, all (no axes), several (the first and the last); since 18 empty-axes (a tensor of none),
    and noop for either.
    """
    parts = case.variant.split("+")
    attributes: dict[str, Any] = {"keepdims": 0} if "keepdims=0" in parts else {}
    axes: list[int] | None = [-1 if case.axis is None else case.axis]
    if "empty-axes" in parts:
        axes = []
    elif "all" in parts or "noop" in parts:
        axes = None
    elif "several" in parts:
        axes = [0, len(case.shape) - 1]
    if "noop" in parts:
        attributes["noop_with_empty_axes"] = 1
    x = arranged(row, case, random, axes[-1] if axes else None)
    if row.since_version < 18:
        return Call([x], attributes | ({} if axes is None else {"axes": axes}))
    return Call([x] if axes is None else [x, np.array(axes, np.int64)], attributes)


IGNORED = -100
"""The label without a class: what PyTorch ignores by default, and so what models have."""


def loss(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: none, sum, mean, with weights, ignore (a class), negative (ignore no class), int32, log_prob."""
    x = arranged(row, case, random, 1)
    parts = case.variant.split("+")
    classes = x.shape[1]
    kind = np.int32 if "int32" in parts else np.int64
    labels = random.integers(0, max(classes, 1), (x.shape[0], *x.shape[2:])).astype(kind)
    attributes: dict[str, Any] = {"reduction": parts[0]}
    inputs: list[Array | None] = [x, labels]
    for name, ignored in (("ignore", 1), ("negative", IGNORED)):
        if name in parts:
            attributes["ignore_index"] = ignored
            labels[random.random(labels.shape) < 0.3] = ignored
    if "weights" in parts:
        inputs.append(random.uniform(0.25, 2, (classes,)).astype(dtype_of(case.dtype)))
    return Call(inputs, attributes, 2 if "log_prob" in parts else 1)


def arg_max(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: keepdims=0, last (the last of equals)."""
    attributes = {"keepdims=0": {"keepdims": 0}, "last": {"select_last_index": 1}}.get(case.variant, {})
    return Call([arranged(row, case, random, case.axis)], _axis(case) | attributes)


UNSORTED = "unsorted"


def top_k(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: smallest, k=1, k=all, unsorted (in any order)."""
    x = arranged(row, case, random, case.axis)
    _, length = lines(row, case.shape, case.axis)
    k = {"k=1": min(1, length), "k=all": length}.get(case.variant, min(TOP, length))
    attributes = _axis(case) | {"smallest": {"largest": 0}, UNSORTED: {"sorted": 0}}.get(case.variant, {})
    if row.since_version < 10:
        return Call([x], attributes | {"k": k}, 2)
    return Call([x, np.array([k], np.int64)], attributes, 2)


SAMPLES = 20_000
"""How many samples a Multinomial of the suite draws from each row."""


def multinomial(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: int64."""
    x = arranged(row, case, random, 1)
    attributes = {"sample_size": SAMPLES, "seed": 7.0, "dtype": 7 if case.variant == "int64" else 6}
    return Call([x], attributes)


def linear_classifier(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: a transform, joined by + with strings, binary, no-intercepts and zeros (a score that is 0)."""
    x = arranged(row, case, random, -1)
    transform, *parts = case.variant.split("+")
    scores = 1 if "binary" in parts else 3
    labels = 2 if "binary" in parts else 3
    coefficients = random.normal(size=(scores, case.shape[-1])).astype(np.float32)
    intercepts = random.normal(size=scores).astype(np.float32)
    if transform == "PROBIT":
        # What a quantile is taken of lies in (0, 1).
        coefficients = (coefficients / 1000).astype(np.float32)
        intercepts = (0.5 + intercepts / 10).astype(np.float32)
    if "zeros" in parts:
        coefficients[1], intercepts[1] = 0, 0
    attributes: dict[str, Any] = {
        "coefficients": coefficients.ravel().tolist(),
        "intercepts": intercepts.tolist(),
        "post_transform": transform,
    }
    if "no-intercepts" in parts:
        del attributes["intercepts"]
    strings = "strings" in parts
    kind, names = ("strings", ["a", "b", "c"]) if strings else ("ints", [4, 2, 9])
    return Call([x], attributes | {f"classlabels_{kind}": names[:labels]}, 2)


def normalizer(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: MAX, L1, L2."""
    return Call([arranged(row, case, random, -1)], {"norm": case.variant})


def quantized(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """Variants: flatten (of QLinearSoftmax: the axis rule below opset 13), coarse (few steps)."""
    x = _quantized_rows(row, case, random)
    kind = x.dtype
    limits = np.iinfo(kind)
    x_scale = np.array(0.5 if case.variant == "coarse" else 0.05, np.float32)
    y_scale = np.array(0.25 if case.variant == "coarse" else 1 / 256, np.float32)
    x_zero, y_zero = np.array((limits.max + limits.min) // 2 + 3, kind), np.array(limits.min, kind)
    attributes: dict[str, Any] = {}
    if "opset" in row.attributes:
        attributes = {"opset": 12 if case.variant == "flatten" else 13, **_axis(case)}
    return Call([x, x_scale, x_zero, y_scale, y_zero], attributes)


def _quantized_rows(row: Operator, case: Case, random: np.random.Generator) -> Array:
    """Return the family as float32, quantized: an integer's own Gaussian would be three numbers."""
    wide = replace(case, dtype="float32")
    x = arranged(row, wide, random, case.axis) if row.axis_rule else elementwise(row, wide, random).inputs[0]
    assert x is not None
    limits = np.iinfo(dtype_of(case.dtype))
    centre = (limits.max + limits.min) // 2 + 3
    steps = np.rint(x.astype(np.float64) / 0.05) + centre
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(limits.dtype))


KEYS = 7
"""Number of keys in the suite's Attention nodes."""


_SHOWN = ("scores", "capped", "masked", "probabilities")
"""What the fourth output of an Attention is, by its attribute qk_matmul_output_mode."""


def attention(row: Operator, case: Case, random: np.random.Generator) -> Call:
    """
    Variants: causal, softcap, scale, grouped, 3d, window (since 25), padded (since 24), and past, alone or with
    causal or one of `_SHOWN`.
    """
    parts = case.variant.split("+")
    kind = dtype_of(case.dtype)
    n, heads, queries, size = case.shape
    groups = heads // 2 if case.variant == "grouped" else heads
    masked = case.family in ("mask-additive", "mask-boolean", "masked-rows")
    plain = replace(case, family="gaussian-1") if masked else case
    q = rows_of(plain.family, random, n * heads * queries, size, case.dtype).reshape(case.shape)
    k = random.standard_normal((n, groups, KEYS, size)).astype(kind)
    v = random.standard_normal((n, groups, KEYS, size + 1)).astype(kind)
    attributes: dict[str, Any] = {}
    inputs: list[Array | None] = [q, k, v]
    if masked:
        inputs.append(_attention_mask(case, random, queries))
    if "causal" in parts:
        attributes["is_causal"] = 1
    if case.variant == "softcap":
        attributes["softcap"] = 2.0
    elif case.variant == "scale":
        attributes["scale"] = 0.125
    elif case.variant == "window":
        attributes |= {"left_window_size": 1, "right_window_size": 1}
    elif "past" in parts:
        past = random.standard_normal((n, groups, 3, size)), random.standard_normal((n, groups, 3, size + 1))
        inputs += [None, past[0].astype(kind), past[1].astype(kind)]
        shown = [mode for mode, name in enumerate(_SHOWN) if name in parts]
        if not shown:
            return Call(inputs, attributes, 3)
        attributes |= {"softcap": 2.0, "is_causal": 1, "qk_matmul_output_mode": shown[0]}
        return Call(inputs, attributes, 4)
    elif case.variant == "padded":
        inputs += [None, None, None, random.integers(queries, KEYS + 1, n)]
    elif case.variant == "3d":
        attributes |= {"q_num_heads": heads, "kv_num_heads": groups}
        inputs = [np.ascontiguousarray(np.moveaxis(x, 1, 2)).reshape(n, x.shape[2], -1) for x in (q, k, v)]
    return Call(inputs, attributes)


def _attention_mask(case: Case, random: np.random.Generator, queries: int) -> Array:
    kept = masks(random, queries, KEYS, full=case.family == "masked-rows")
    if case.family != "mask-additive":
        return kept
    kind = dtype_of(case.dtype)
    fill = np.array([-1e4, -largest(kind), -np.inf])[np.arange(queries) % 3, None]
    return np.where(kept, 0.0, fill).astype(kind)
