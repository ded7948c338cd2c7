"""
What Attention may be given: the checks that its kernel and its oracle share.

Shapes. N batch, H heads of the queries, G heads of keys and values (H a multiple of G), S queries, L keys
given, P keys of the past, T = P + L keys in all, D size of a head, E size of a value's head.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ml_dtypes import bfloat16
from numpy.typing import NDArray

Array = NDArray[Any]

INPUTS = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")
FLOATS = frozenset(np.dtype(kind) for kind in (bfloat16, np.float16, np.float32, np.float64))
PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
"""The values of softmax_precision: onnx.TensorProto's numbers."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """
    The inputs and attributes of one Attention node, checked, with the defaults filled in.

    Attributes
    ----------
    q, k, v
        As given, 3-D or 4-D.
    mask, past_key, past_value, valid
        As given or None; ``valid`` is nonpad_kv_seqlen.
    heads, kv_heads
        H and G.
    size
        D.
    scale
        The factor of Q K^T; None for 1/sqrt(D), or 1 where D is 0.
    softcap
        0 for none.
    causal
        Whether the causal rule holds.
    left, right
        The window's bounds; -1 for none.
    mode
        What qk_matmul_output is, 0 to 3.
    precision
        Name of the dtype of the softmax, or None for that of Q.
    pads
        Whether a mask may be shorter than the keys.
    """

    q: Array
    k: Array
    v: Array
    mask: Array | None
    past_key: Array | None
    past_value: Array | None
    valid: Array | None
    heads: int
    kv_heads: int
    size: int
    scale: float | None
    softcap: float
    causal: bool
    left: int
    right: int
    mode: int
    precision: str | None
    pads: bool


def checked(inputs: Sequence[Any], attributes: Mapping[str, Any], *, version: int, outputs: int) -> Arguments:
    """
    Check the inputs and attributes of an Attention node.

    Raises
    ------
    TypeError
        A dtype that the operator does not take, or an attribute that is no number.
    ValueError
        Inputs too few or too many, shapes that do not fit, an attribute out of range or unknown at that
        version, inputs that exclude each other.
    """
    _expect(version in (23, 24, 25), "version 23, 24 or 25", version, "pass its since_version")
    names = "Y, present_key, present_value, qk_matmul_output"
    _expect(1 <= outputs <= 4, "1 to 4 outputs", outputs, f"they are {names}")
    q, k, v, mask, past_key, past_value, valid = _arrays(inputs, version)
    numbers = _attributes(attributes, version)
    heads, kv_heads = _heads(q, k, v, numbers["q_num_heads"], numbers["kv_num_heads"], version)
    size = _check_shapes(q, k, v, heads, kv_heads)
    past = _check_past(k, v, past_key, past_value, kv_heads)
    if valid is not None:
        used = "past_key" if past_key is not None else "present_key" if outputs in (2, 3) else None
        alone = used is None or (version < 25 and used == "present_key")
        cure = "a cache is either in the node or outside"
        _expect(alone, "no past and no present beside nonpad_kv_seqlen", used, cure)
        _check_valid(valid, q.shape[0], k.shape[-2])
    if mask is not None:
        _check_mask(mask, (q.shape[0], heads, q.shape[-2], past + k.shape[-2]), version)
    code = numbers["softmax_precision"]
    return Arguments(
        q=q,
        k=k,
        v=v,
        mask=mask,
        past_key=past_key,
        past_value=past_value,
        valid=valid,
        heads=heads,
        kv_heads=kv_heads,
        size=size,
        scale=numbers["scale"],
        softcap=numbers["softcap"],
        causal=bool(numbers["is_causal"]),
        left=numbers["left_window_size"],
        right=numbers["right_window_size"],
        mode=numbers["qk_matmul_output_mode"],
        precision=None if code is None else PRECISIONS[code],
        pads=version >= 24,
    )


def _expect(holds: bool, expected: str, got: object, cure: str) -> None:
    if not holds:
        message = f"Attention expected {expected} (got {got}); {cure}"
        raise ValueError(message)


def _arrays(inputs: Sequence[Any], version: int) -> list[Any]:
    """All seven inputs, their dtypes checked."""
    most = 7 if version >= 24 else 6
    order = f"in version {version} they are {', '.join(INPUTS[:most])}"
    arrays: list[Any] = [None if x is None else np.asarray(x) for x in inputs]
    while arrays and arrays[-1] is None:
        del arrays[-1]
    _expect(3 <= len(arrays) <= most, f"3 to {most} inputs", len(arrays), order)
    arrays += [None] * (len(INPUTS) - len(arrays))
    for name, x in zip(INPUTS, arrays, strict=True):
        if x is None:
            _expect(
                name not in INPUTS[:3], f"an array for {name}", None, "only the inputs after V are optional"
            )
            continue
        known, wanted = x.dtype in FLOATS, "bfloat16, float16, float32 or float64"
        if name == "attn_mask":
            known, wanted = known or x.dtype.kind in "biu", "bool, integers or floats"
        elif name == "nonpad_kv_seqlen":
            known, wanted = x.dtype == np.int64, "int64"
        if not known:
            message = f"Attention expected {name} of {wanted} (got {x.dtype}); convert it with .astype()"
            raise TypeError(message)
    for one, other in (("Q", "K"), ("K", "past_key"), ("V", "past_value")):
        x, y = arrays[INPUTS.index(one)], arrays[INPUTS.index(other)]
        if y is not None and x.dtype != y.dtype:
            message = (
                f"Attention expected {other} of the dtype of {one}, {x.dtype} (got {y.dtype}); convert it"
            )
            raise TypeError(message)
    return arrays


# name: (default, what is allowed, the same in words)
_INTEGERS: dict[str, tuple[int | None, Callable[[int], bool], str]] = {
    "is_causal": (0, lambda i: i in (0, 1), "0 or 1"),
    "kv_num_heads": (None, lambda i: i > 0, "1 or more"),
    "left_window_size": (-1, lambda i: i >= -1, "-1 or more"),
    "q_num_heads": (None, lambda i: i > 0, "1 or more"),
    "qk_matmul_output_mode": (0, lambda i: 0 <= i <= 3, "0, 1, 2 or 3"),
    "right_window_size": (-1, lambda i: i >= -1, "-1 or more"),
    "softmax_precision": (
        None,
        lambda i: i in PRECISIONS,
        "1 (float), 10 (float16), 11 (double), 16 (bfloat16)",
    ),
}
_NUMBERS: dict[str, tuple[float | None, Callable[[float], bool], str]] = {
    "scale": (None, lambda f: 0 <= f < math.inf, "finite and not below 0"),
    "softcap": (0.0, math.isfinite, "finite"),
}


def _attributes(attributes: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Every attribute, checked, or its default."""
    known = [name for name in (*_INTEGERS, *_NUMBERS) if version >= 25 or "window" not in name]
    for name in attributes:
        choices = f"version {version} has {', '.join(known)}"
        _expect(name in known, "an attribute that it has", name, choices)
    values: dict[str, Any] = {}
    for name, (default, allowed, wanted) in {**_INTEGERS, **_NUMBERS}.items():
        value: Any = attributes.get(name)
        if value is not None:
            try:
                value = operator.index(value) if name in _INTEGERS else float(value)
            except (TypeError, ValueError):
                message = f"Attention expected {name} to be {wanted} (got {value!r}); pass a number"
                raise TypeError(message) from None
            _expect(allowed(value), f"{name} to be {wanted}", value, "choose such a value")
        values[name] = default if value is None else value
    return values


def _heads(
    q: Array, k: Array, v: Array, given: int | None, kv_given: int | None, version: int
) -> tuple[int, int]:
    """H and G."""
    ranks = (q.ndim, k.ndim, v.ndim)
    shapes = "the shapes are (batch, sequence, heads * size) and (batch, heads, sequence, size)"
    _expect(ranks in ((3, 3, 3), (4, 4, 4)), "Q, K and V of rank 3 or of rank 4", f"ranks {ranks}", shapes)
    both = (given, kv_given)
    if q.ndim == 3:
        if given is None or kv_given is None:
            message = (
                f"Attention expected q_num_heads and kv_num_heads with 3-D tensors (got {both}); set both"
            )
            raise ValueError(message)
        heads, kv_heads = given, kv_given
    else:
        heads, kv_heads = q.shape[1], k.shape[1]
        agrees = (
            both == (None, None) if version >= 25 else given in (None, heads) and kv_given in (None, kv_heads)
        )
        wanted = f"no q_num_heads and kv_num_heads with 4-D tensors of {heads} and {kv_heads} heads"
        _expect(agrees, wanted, both, "leave them out")
    fits = kv_heads > 0 and heads % kv_heads == 0
    wanted = "the heads of Q to be a multiple of those of K and V"
    _expect(fits, wanted, f"{heads} and {kv_heads}", "each head of K and V serves as many heads of Q")
    return heads, kv_heads


def _check_shapes(q: Array, k: Array, v: Array, heads: int, kv_heads: int) -> int:
    """D."""
    sizes = []
    for name, x, count in (("Q", q, heads), ("K", k, kv_heads), ("V", v, kv_heads)):
        if x.ndim == 3:
            wanted = f"the last dimension of {name} to be a multiple of its {count} heads"
            _expect(x.shape[2] % count == 0, wanted, x.shape[2], "check q_num_heads and kv_num_heads")
        else:
            wanted = f"{count} heads in {name}"
            _expect(x.shape[1] == count, wanted, x.shape[1], "K and V have the same number of heads")
        sizes.append(x.shape[-1] // (count if x.ndim == 3 else 1))
    cure = "check their shapes"
    _expect(sizes[0] == sizes[1], "heads of Q and K of one size", f"{sizes[0]} and {sizes[1]}", cure)
    batches = (q.shape[0], k.shape[0], v.shape[0])
    _expect(len(set(batches)) == 1, "Q, K and V of one batch size", batches, "repeat the smaller ones")
    counts = f"{k.shape[-2]} and {v.shape[-2]}"
    _expect(k.shape[-2] == v.shape[-2], "as many keys as values", counts, "pass one value for each key")
    return int(sizes[0])


def _check_past(k: Array, v: Array, past_key: Array | None, past_value: Array | None, kv_heads: int) -> int:
    """P."""
    if past_key is None and past_value is None:
        return 0
    if past_key is None or past_value is None:
        missing = "past_key" if past_key is None else "past_value"
        message = (
            f"Attention expected past_key and past_value together (got no {missing}); pass both or neither"
        )
        raise ValueError(message)
    length = past_key.shape[2] if past_key.ndim == 4 else 0
    for name, past, x in (("past_key", past_key, k), ("past_value", past_value, v)):
        shape = (x.shape[0], kv_heads, length, x.shape[-1] // (kv_heads if x.ndim == 3 else 1))
        cure = "pass the present of the step before"
        _expect(past.shape == shape, f"{name} of shape {shape}", past.shape, cure)
    return length


def _check_valid(valid: Array, batch: int, keys: int) -> None:
    shape = (batch,)
    _expect(
        valid.shape == shape, f"nonpad_kv_seqlen of shape {shape}", valid.shape, "pass one for each sample"
    )
    fits = not batch or (valid.min() >= 0 and valid.max() <= keys)
    wanted = f"nonpad_kv_seqlen from 0 to the {keys} keys"
    _expect(fits, wanted, valid.tolist(), "count the keys that are no padding")


def _check_mask(mask: Array, full: tuple[int, int, int, int], version: int) -> None:
    shape = mask.shape
    wanted = f"attn_mask to broadcast to (batch, heads, queries, keys) = {full}"
    if version >= 24 and shape and shape[-1] < full[-1]:
        shape = (*shape[:-1], full[-1])
    pairs = zip(shape[::-1], full[::-1], strict=False)
    fits = len(shape) <= 4 and all(own in (1, other) for own, other in pairs)
    _expect(fits, wanted, mask.shape, f"a mask for each sample has shape {(full[0], 1, *full[2:])}")
