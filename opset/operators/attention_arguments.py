"""
What Attention may be given, beyond the dtypes and the attributes' types that its row holds.

Shapes. N batch, H heads of the queries, G heads of keys and values (H a multiple of G), S queries, L keys
given, P keys of the past, T = P + L keys in all, D size of a head, E size of a value's head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ..oracle.attention import Arguments
from .row import Attributes, Inputs

Array = NDArray[Any]

PRECISIONS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
"""The values of softmax_precision: onnx.TensorProto's numbers."""


def checked(inputs: Inputs, attributes: Attributes, *, version: int, outputs: int) -> Arguments:
    """
    Return what a node works on.

    Inputs are Q (N, H, S, D), K (N, G, L, D), V (N, G, L, E), or all three with the heads folded into the last
    dimension, (N, S, H D); then, or None for: attn_mask (broadcasts to (N, H, S, T)), past_key (N, G, P, D),
    past_value (N, G, P, E), and from version 24 on nonpad_kv_seqlen (N,). Outputs are Y (N, H, S, E) or (N, S, H E),
    present_key (N, G, T, D), present_value (N, G, T, E) and qk_matmul_output (N, H, S, T).

    Raises
    ------
    ValueError
        Shapes that do not fit, an attribute out of range, inputs that exclude each other.
    """
    q, k, v, mask, past_key, past_value, valid = (*inputs, None)[:7]
    numbers = _in_range(attributes)
    heads, kv_heads = _heads(
        q, k, v, given=numbers["q_num_heads"], kv_given=numbers["kv_num_heads"], version=version
    )
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
        left=numbers.get("left_window_size", -1),
        right=numbers.get("right_window_size", -1),
        mode=numbers["qk_matmul_output_mode"],
        precision=None if code is None else PRECISIONS[code],
        pads=version >= 24,
    )


def _expect(holds: bool, expected: str, got: object, cure: str) -> None:
    if not holds:
        message = f"Attention expected {expected} (got {got}); {cure}"
        raise ValueError(message)


# name: (what is allowed, the same in words)
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "is_causal": (lambda i: i in (0, 1), "0 or 1"),
    "kv_num_heads": (lambda i: i > 0, "1 or more"),
    "left_window_size": (lambda i: i >= -1, "-1 or more"),
    "q_num_heads": (lambda i: i > 0, "1 or more"),
    "qk_matmul_output_mode": (lambda i: 0 <= i <= 3, "0, 1, 2 or 3"),
    "right_window_size": (lambda i: i >= -1, "-1 or more"),
    "softmax_precision": (lambda i: i in PRECISIONS, "1 (float), 10 (float16), 11 (double), 16 (bfloat16)"),
    "scale": (lambda f: 0 <= f < math.inf, "finite and not below 0"),
    "softcap": (math.isfinite, "finite"),
}


def _in_range(attributes: Attributes) -> dict[str, Any]:
    """Every attribute as a number of Python; None where one is undefined."""
    values: dict[str, Any] = dict(attributes)
    for name, (allowed, wanted) in _RANGES.items():
        if values.get(name) is not None:
            values[name] = float(values[name]) if name in ("scale", "softcap") else int(values[name])
            _expect(allowed(values[name]), f"{name} to be {wanted}", values[name], "choose such a value")
    return values


def _heads(q: Array, k: Array, v: Array, *, given: Any, kv_given: Any, version: int) -> tuple[int, int]:
    """H and G."""
    ranks = (q.ndim, k.ndim, v.ndim)
    shapes = "the shapes are (batch, sequence, heads * size) and (batch, heads, sequence, size)"
    _expect(ranks in ((3, 3, 3), (4, 4, 4)), "Q, K and V of rank 3 or of rank 4", f"ranks {ranks}", shapes)
    both = (given, kv_given)
    if q.ndim == 3:
        _expect(None not in both, "q_num_heads and kv_num_heads with 3-D tensors", both, "set both")
        heads, kv_heads = both
    else:
        heads, kv_heads = q.shape[1], k.shape[1]
        agrees = given in (None, heads) and kv_given in (None, kv_heads)
        if version >= 25:
            agrees = both == (None, None)
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
    wanted = f"nonpad_kv_seqlen of shape {(batch,)}"
    _expect(valid.shape == (batch,), wanted, valid.shape, "pass one for each sample")
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
