"""The arguments of attention, checked: where arrays lie, and what says which keys take part."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.addresses import Array, in_c_order
from ..arrays.foreign import as_array
from ..arrays.inputs import as_floats, computing_type

Causal = bool | Literal["top-left", "bottom-right"]
Window = int | tuple[int, int] | None
# A step that no sequence is as long as.
OPEN = 1 << 30


class Heads(NamedTuple):
    """Queries (batch, heads, queries, depth), keys and values of fewer heads, numbers of a row side by side."""

    q: Array
    k: Array
    v: Array


class Options(NamedTuple):
    """What says which keys take part, and how much."""

    band: tuple[int, int]
    """Key j takes part for query i where i + low <= j <= i + high."""
    scale: float
    softcap: float
    mask: Array | None = None
    sink: Array | None = None


def result_like(heads: Heads, width: int, out: Array | None) -> Array:
    """Room for the result: `out` where it can be written to, else in the queries' order in memory."""
    q = heads.q
    if out is not None and out.strides[-1] == out.itemsize and not _overlaps(out, heads):
        return out
    batch, count, queries, _ = q.shape
    if q.strides[1] < q.strides[2] and count > 1:
        return np.empty((batch, queries, count, width), q.dtype).transpose(0, 2, 1, 3)
    return np.empty((batch, count, queries, width), q.dtype)


def _overlaps(out: Array, heads: Heads) -> bool:
    return any(np.may_share_memory(out, x) for x in heads)


def heads_of(name: str, q: npt.ArrayLike, k: npt.ArrayLike, v: npt.ArrayLike) -> Heads:
    """Arrays that fit together."""
    heads = Heads(*(_rows_together(as_floats(name, x)) for x in (q, k, v)))
    shapes = " and ".join(str(x.shape) for x in heads)
    if any(x.ndim != 4 for x in heads):
        message = (
            f"{name} takes arrays of shape (batch, heads, length, depth) (got {shapes}); add axes of length 1"
        )
        raise ValueError(message)
    if len({x.dtype for x in heads}) > 1:
        message = (
            f"{name} takes q, k and v of one dtype (got {', '.join(str(x.dtype) for x in heads)}); convert"
        )
        raise TypeError(message)
    q, k, v = heads
    if k.shape[:3] != v.shape[:3] or q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        message = (
            f"{name} takes q (batch, heads, queries, depth), k (batch, key heads, keys, depth) and "
            f"v (batch, key heads, keys, width) (got {shapes})"
        )
        raise ValueError(message)
    if k.shape[1] == 0 or q.shape[1] % k.shape[1]:
        message = f"{name} shares each head of k and v among as many of q (got {q.shape[1]} for {k.shape[1]})"
        raise ValueError(message)
    return heads


def _rows_together(x: Array) -> Array:
    return x if x.ndim == 0 or x.shape[-1] < 2 or x.strides[-1] == x.itemsize else np.ascontiguousarray(x)


def scale_of(name: str, scale: float | None, depth: int) -> float:
    """What scores are multiplied by: 1/√depth where nothing is given."""
    if scale is None:
        return depth**-0.5 if depth else 1.0
    if not np.isfinite(scale):
        message = f"{name} takes a finite scale (got {scale})"
        raise ValueError(message)
    return float(scale)


def softcap_of(name: str, softcap: float) -> float:
    if not (np.isfinite(softcap) and softcap >= 0):
        message = f"{name} takes a softcap that is finite and not negative, 0 for none (got {softcap})"
        raise ValueError(message)
    return float(softcap)


def band_of(name: str, is_causal: Causal, window: Window, queries: int, keys: int) -> tuple[int, int]:
    """(low, high): key j takes part for query i where i + low <= j <= i + high."""
    if is_causal not in (False, True, "top-left", "bottom-right"):
        message = (
            f"{name} takes is_causal among False, True, 'top-left' and 'bottom-right' (got {is_causal!r})"
        )
        raise ValueError(message)
    position = keys - queries if is_causal == "bottom-right" else 0
    left, right = sides_of(name, window)
    low = position - left if left >= 0 else -OPEN
    high = position + right if right >= 0 else OPEN
    return low, min(high, position) if is_causal else high


def sides_of(name: str, window: Window) -> tuple[int, int]:
    """How far a window reaches before and after a query's position; −1 for open."""
    if window is None:
        return -1, -1
    sides = (window, window) if isinstance(window, int | np.integer) else tuple(window)
    if len(sides) != 2 or any(not isinstance(side, int | np.integer) or side < -1 for side in sides):
        message = f"{name} takes a window of one or two whole numbers from 0 up, -1 for open (got {window!r})"
        raise ValueError(message)
    return int(sides[0]), int(sides[1])


def mask_of(
    name: str, mask: npt.ArrayLike | None, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array | None:
    """A mask of bool or of the computing type, broadcast to `shape`, neighbours side by side."""
    if mask is None:
        return None
    given = as_array(name, mask, "mask", "mask.filled(False)")
    if given.dtype != np.bool_:
        if given.dtype.kind not in "f" and given.dtype.itemsize != 2:
            message = (
                f"{name} takes a mask of bool, True for what takes part, or of numbers to add (got {given.dtype}); "
                "convert with mask.astype(bool)"
            )
            raise TypeError(message)
        given = in_c_order(as_floats(name, given), dtype)
    if given.ndim and (given.shape[-1] != shape[-1] or given.strides[-1] != given.itemsize):
        given = in_c_order(_broadcast(name, given, (*given.shape[:-1], shape[-1]), shape))
    return _broadcast(
        name, given if given.ndim else in_c_order(np.broadcast_to(given, shape[-1:])), shape, shape
    )


def _broadcast(name: str, mask: Array, shape: tuple[int, ...], wanted: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        message = (
            f"{name} takes a mask that broadcasts to (batch, heads, queries, keys), {wanted} (got {mask.shape}); "
            "add axes of length 1"
        )
        raise ValueError(message) from None


def sink_of(name: str, sink: npt.ArrayLike | None, heads: int, dtype: np.dtype[Any]) -> Array | None:
    """A logit for each head of queries."""
    if sink is None:
        return None
    given = as_floats(name, sink)
    if given.shape != (heads,):
        message = f"{name} takes a sink for each head of q, of shape ({heads},) (got {given.shape})"
        raise ValueError(message)
    return in_c_order(given, dtype)


def lengths_of(name: str, lengths: npt.ArrayLike, batch: int, keys: int) -> Array:
    """How many keys each batch has."""
    given = np.asarray(lengths)
    if given.dtype.kind not in "iu" or given.shape not in ((), (batch,)):
        message = (
            f"{name} takes lengths as whole numbers, one or of shape ({batch},) "
            f"(got {given.dtype} of shape {given.shape})"
        )
        raise TypeError(message) if given.dtype.kind not in "iu" else ValueError(message)
    if given.size and not 0 <= given.min() <= given.max() <= keys:
        message = f"{name} takes lengths from 0 to the {keys} keys of the cache (got {given.min()} to {given.max()})"
        raise ValueError(message)
    return in_c_order(np.broadcast_to(given, (batch,)), np.int64)


def options_of(
    name: str,
    heads: Heads,
    mask: npt.ArrayLike | None,
    is_causal: Causal,
    scale: float | None,
    softcap: float,
    window: Window,
    sink: npt.ArrayLike | None,
) -> Options:
    """All that says which keys take part, and how much."""
    (batch, count, queries, depth), keys = heads.q.shape, heads.k.shape[2]
    work = computing_type(heads.q.dtype)
    return Options(
        band_of(name, is_causal, window, queries, keys),
        scale_of(name, scale, depth),
        softcap_of(name, softcap),
        mask_of(name, mask, (batch, count, queries, keys), work),
        sink_of(name, sink, count, work),
    )
