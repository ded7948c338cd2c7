"""
Attention (ai.onnx 23, 24 and 25): softmax(softcap(scale Q K^T) + bias) V for each head.

bias is the mask, and -inf where the causal rule, the window or the padding rules a key out. A row in which nothing is
left is 0, in Y and in the probabilities.

The kernel is that of attention, which keeps a block of scores alone; where scores are asked for, and where they are
few, it is two matrix products, NumPy's and so BLAS's, around the softmax kernel. A head of keys that serves several
heads of queries is never copied. Halves are computed in float32; only what is returned is rounded, and the scores to
``softmax_precision`` where that is narrower than the computation. No output shares memory with an input.

Error of the kernel, in units of the dtype of the computation: that of a sum of D products in the scores, which the
softmax turns into a relative one, and that of a sum of T products in Y (``tests/opset/operators/test_attention.py``).
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle.attention import Arguments, attention
from .attention_arguments import checked
from .row import Attributes, Inputs, Operator, Outputs, numba_kernel
from .signature import INTEGERS, Attribute, Parameter, dtype_named, floats

Array = NDArray[Any]

_softmax, _attention = numba_kernel("softmax"), numba_kernel("attention")


def _kernel(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    a = checked(inputs, attributes, version=row.since_version, outputs=outputs)
    narrow = a.q.dtype
    wide = np.float64 if narrow == np.float64 else np.float32
    asked = a.mode if outputs == 4 else None
    shown: Any = None
    key = _joined(a.past_key, _by_head(a.k, a.kv_heads))
    value = _joined(a.past_value, _by_head(a.v, a.kv_heads))
    with np.errstate(all="ignore"):
        if asked is None and (in_blocks := _in_blocks(a, key, value)) is not None:
            return _results(a, in_blocks, key, value, None)[:outputs]
        scores = _scores(a, key, wide)
        if asked == 0:
            shown = scores.astype(narrow)
        if a.softcap:
            cap = wide(a.softcap)
            scores /= cap
            np.tanh(scores, out=scores)
            scores *= cap
        if asked == 1:
            shown = scores.astype(narrow)
        bias = _bias(a, key.shape[2])
        if bias is not None:
            scores += bias
        if asked == 2:
            shown = scores.astype(narrow)
        precision = np.dtype(wide) if a.precision is None else dtype_named(a.precision)
        scores = scores.astype(precision, copy=False)
        chances: Array = _softmax(scores, -1, out=scores) if scores.size else scores
        if bias is not None and bias.size:
            empty = bias.max(-1, keepdims=True, initial=-np.inf) == -np.inf
            np.copyto(chances, np.zeros((), chances.dtype), where=empty)
        if asked == 3:
            shown = chances.astype(narrow)
        result = _mixed(chances.astype(wide, copy=False), value, a.kv_heads).astype(narrow, copy=False)
    return _results(a, result, key, value, shown)[:outputs]


def _results(a: Arguments, result: Array, key: Array, value: Array, shown: Any) -> Outputs:
    if a.q.ndim == 3:
        n, heads, queries, size = result.shape
        result = np.ascontiguousarray(result.transpose(0, 2, 1, 3)).reshape(n, queries, heads * size)
    return result, _own(key, a.k), _own(value, a.v), shown


# Of so few scores in a head, two products and a softmax take less time.
_FEWEST_SCORES = 1100


def _in_blocks(a: Arguments, key: Array, value: Array) -> Array | None:
    """
    By the kernel of attention, which stores no scores: (N, H, S, E); None where something else is asked of them.

    It takes a row that has no key left, and one whose scores are all -inf by themselves, for the same.
    """
    queries, keys = a.q.shape[-2], key.shape[2]
    wide = "float64" if a.q.dtype == np.float64 else "float32"
    if a.heads // a.kv_heads * queries * keys <= _FEWEST_SCORES or queries == 1 or a.size == 0:
        return None
    if a.precision not in (None, wide) or value.dtype != a.q.dtype or not value.size:
        return None
    causal = _causal_alone(a, keys)
    bias = None if causal else _bias(a, keys)
    if (causal or bias is not None) and not np.isfinite(value).all():
        return None
    y, sums = _attention(
        _by_head(a.q, a.heads),
        key,
        value,
        mask=bias,
        is_causal=causal,
        scale=a.scale,
        softcap=abs(a.softcap),
        return_logsumexp=True,
    )
    return None if np.isneginf(sums).any() else y


def _causal_alone(a: Arguments, keys: int) -> str | bool:
    """How the kernel calls the causal rule where that alone rules keys out; False otherwise."""
    past = 0 if a.past_key is None else a.past_key.shape[2]
    if not (a.causal or a.right == 0) or a.left >= 0 or a.mask is not None or a.valid is not None:
        return False
    return "bottom-right" if past == keys - a.q.shape[-2] else "top-left" if not past else False


def _by_head(x: Array, heads: int) -> Array:
    """(N, heads, length, size), without a copy."""
    if x.ndim == 4:
        return x
    n, length, hidden = x.shape
    return x.reshape(n, length, heads, hidden // heads).transpose(0, 2, 1, 3)


def _joined(past: Array | None, x: Array) -> Array:
    return x if past is None else np.concatenate((past, x), 2)


def _own(present: Array, given: Array) -> Array:
    """Contiguous, and no view of an input."""
    return np.array(present, order="C") if np.may_share_memory(present, given) else present


def _scores(a: Arguments, key: Array, wide: type[Any]) -> Array:
    """scale Q K^T, (N, H, S, T), in memory of its own."""
    scale = wide(1 / math.sqrt(a.size or 1) if a.scale is None else a.scale)
    q = np.multiply(_by_head(a.q, a.heads).astype(wide, copy=False), scale, order="C")
    n, heads, queries, size = q.shape
    # the heads of queries that share a head of keys are one matrix of more rows
    q = q.reshape(n, a.kv_heads, heads // a.kv_heads * queries, size)
    product: Array = np.matmul(q, key.astype(wide, copy=False).swapaxes(2, 3))
    return product.reshape(n, heads, queries, key.shape[2])


def _mixed(chances: Array, value: Array, kv_heads: int) -> Array:
    """The values of each head mixed by the probabilities, (N, H, S, E)."""
    n, heads, queries, keys = chances.shape
    wide = np.result_type(chances.dtype, np.float64 if value.dtype == np.float64 else np.float32)
    rows = chances.astype(wide, copy=False).reshape(n, kv_heads, heads // kv_heads * queries, keys)
    mixed: Array = np.matmul(rows, value.astype(wide, copy=False))
    return mixed.reshape(n, heads, queries, value.shape[3])


def _bias(a: Arguments, keys: int) -> Array | None:
    """What is added to the scores, broadcastable to them, in T1; None for nothing."""
    allowed = _allowed(a, keys)
    if a.mask is None:
        return None if allowed is None else _additive(allowed, a.q.dtype)
    mask = np.atleast_1d(a.mask)
    mask = _additive(mask, a.q.dtype) if mask.dtype == bool else mask.astype(a.q.dtype, copy=False)
    if a.pads and a.mask.ndim and mask.shape[-1] < keys:
        padded = np.full((*mask.shape[:-1], keys), -np.inf, mask.dtype)
        padded[..., : mask.shape[-1]] = mask
        mask = padded
    return mask if allowed is None else mask + _additive(allowed, a.q.dtype)


def _additive(allowed: Array, dtype: np.dtype[Any]) -> Array:
    return np.asarray(np.where(allowed, dtype.type(0), dtype.type(-np.inf)))


def _allowed(a: Arguments, keys: int) -> Array | None:
    """Whether the causal rule, the window and the padding admit a key: (S, T) or (N, 1, S, T); None for all."""
    column = np.arange(keys)
    offset: Any = 0 if a.past_key is None else a.past_key.shape[2]
    rules: list[Array] = []
    if a.valid is not None:
        valid = a.valid.reshape(-1, 1, 1, 1)
        offset = valid - a.q.shape[-2]
        rules.append(column < valid)
    ahead = column - (np.arange(a.q.shape[-2])[:, None] + offset)
    right = 0 if a.causal else a.right  # a window of 0 on the right is the causal rule
    if right >= 0:
        rules.append(ahead <= right)
    if a.left >= 0:
        rules.append(ahead >= -a.left)
    if not rules:
        return None
    return functools.reduce(np.logical_and, rules)


def _reference(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
    return attention(checked(inputs, attributes, version=row.since_version, outputs=outputs))


_NOTES = (
    "A position is ruled out by adding -inf to its score, as the text and the function body have it: a score of "
    "+inf or NaN there makes the row NaN, and a value of inf or NaN is multiplied by 0, which is NaN.",
    "A row is fully masked when the sum of mask, causal, window and padding bias is -inf for every key; scores "
    "that are all -inf by themselves give NaN. With no keys at all (T = 0) the output is 0.",
    "scale multiplies Q K^T: 1/sqrt(D) in full precision where none is given (the function body rounds it to "
    "float32 for float64 tensors, and its square root to T1), 0 is a factor like any other, and a negative one "
    "is refused: its square root, by which the text scales Q and K, does not exist.",
    "softcap is even, as the function body has it: -c caps as c does (onnxruntime takes a negative one for none).",
    "qk_matmul_output in mode 0 is the scaled product before softcap (onnx.reference returns it capped); in mode "
    "2 what is ruled out is -inf (onnxruntime writes the lowest finite number).",
    "A mask is converted to T1 first; integer masks are added as numbers, as the function body has it.",
    "From version 24 on, a mask whose last dimension is 1 is a short one and is padded with -inf, as in the "
    "function body, unless T is 1; at version 23 it is broadcast. A mask of rank 0 is broadcast at every version.",
    "With 4-D tensors q_num_heads and kv_num_heads are refused from version 25 on, as by its shape inference; "
    "before, they are taken where they agree with the shapes.",
    "nonpad_kv_seqlen together with past_key is refused, with present_key from version 25 on, as by its shape "
    "inference. Present outputs without a past are K and V as 4-D tensors.",
    "V may have another dtype than Q; the second product is computed in the wider of the two and rounded to T1 "
    "(the function body is not valid there).",
)
"""Where the text, the function body and the runtimes differ, or say nothing: what is done here."""


_FLOATS = floats(bfloat16=True)


def _row(since_version: int) -> Operator:
    inputs = [
        Parameter("Q", "T1"),
        Parameter("K", "T1"),
        Parameter("V", "T2"),
        Parameter("attn_mask", "U", optional=True),
        Parameter("past_key", "T1", optional=True),
        Parameter("past_value", "T2", optional=True),
    ]
    attributes = {
        "is_causal": Attribute("int", 0),
        "scale": Attribute("float"),
        "q_num_heads": Attribute("int"),
        "kv_num_heads": Attribute("int"),
        "softmax_precision": Attribute("int"),
        "softcap": Attribute("float", 0.0),
        "qk_matmul_output_mode": Attribute("int", 0),
    }
    if since_version >= 24:
        inputs.append(Parameter("nonpad_kv_seqlen", "int64", optional=True))
    if since_version >= 25:
        attributes |= {"left_window_size": Attribute("int", -1), "right_window_size": Attribute("int", -1)}
    return Operator(
        op_type="Attention",
        since_version=since_version,
        axis_rule="single",
        default_axis=-1,
        types={"T1": _FLOATS, "T2": _FLOATS, "U": (*INTEGERS, *_FLOATS, "bool")},
        inputs=tuple(inputs),
        outputs=(
            Parameter("Y", "T1"),
            Parameter("present_key", "T1", optional=True),
            Parameter("present_value", "T2", optional=True),
            Parameter("qk_matmul_output", "T1", optional=True),
        ),
        attributes=attributes,
        kernel=_kernel,
        reference=_reference,
        notes=_NOTES,
    )


ROWS: tuple[Operator, ...] = tuple(map(_row, (23, 24, 25)))
