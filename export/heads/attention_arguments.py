"""What an attention graph is built from, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..builder.arguments import check_positive
from ..builder.counts import check_axis, check_batch_name, check_count
from ..builder.floats import as_array, as_floats

AXES = ("batch", "heads", "queries", "keys")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The arguments of `softops.export.attention` after their checks."""

    heads: int
    head_size: int
    kv_heads: int
    value_size: int
    mask: str | None
    mask_shape: tuple[str | int, ...]
    causal: bool
    scale: float | None
    softcap: float | None
    sink: NDArray[Any] | str | None
    folded: bool
    queries: str | int
    keys: str | int
    batch: str | int

    @property
    def factor(self) -> float:
        """The factor of the scores."""
        return 1 / math.sqrt(self.head_size) if self.scale is None else self.scale

    @property
    def text(self) -> str:
        """One line about the model."""
        rules = [f"{self.mask} mask"] * (self.mask is not None) + ["causal"] * self.causal
        rules += ["a sink for each head"] * (self.sink is not None)
        heads = f"{self.heads} heads of size {self.head_size}"
        if self.kv_heads != self.heads:
            heads += f", {self.kv_heads} of keys and values"
        return f"Scaled dot-product attention: {', '.join([heads, *rules])}."

    def shape(self, heads: str, length: str, size: str) -> list[str | int]:
        """Shape of a tensor from the letters of heads (H, G), length (S, T) and size (D, E)."""
        values: dict[str, Any] = {
            "H": self.heads,
            "G": self.kv_heads,
            "S": self.queries,
            "T": self.keys,
            "D": self.head_size,
            "E": self.value_size,
        }
        if self.folded:
            return [self.batch, values[length], values[heads] * values[size]]
        return [self.batch, values[heads], values[length], values[size]]


def read_layout(
    *,
    heads: object,
    head_size: object,
    kv_heads: object,
    value_size: object,
    mask: object,
    mask_axes: object,
    causal: bool,
    scale: object,
    softcap: object,
    sink: ArrayLike | None,
    folded: bool,
    queries: object,
    keys: object,
    batch: str | int,
    opset: int,
    dtype: np.dtype[Any],
    compute: np.dtype[Any],
) -> Layout:
    """Return the arguments checked: the sink in ``dtype``, as weights are, scale and softcap in ``compute``.

    Raises
    ------
    TypeError, ValueError
        See `softops.export.attention`.
    """
    count = check_count("heads", heads)
    kv_count = count if kv_heads is None else check_count("kv_heads", kv_heads)
    if count % kv_count:
        message = (
            f"expected heads as a multiple of kv_heads (got {count} and {kv_count}); "
            "each head of keys and values serves as many heads of queries"
        )
        raise ValueError(message)
    size = check_count("head_size", head_size)
    if mask not in (None, "boolean", "additive"):
        message = f"expected mask 'boolean', 'additive' or None (got {mask!r}); choose one"
        raise ValueError(message)
    queries, keys = check_axis("queries", queries), check_axis("keys", keys)
    check_batch_name(batch, queries=queries, keys=keys)
    if opset < 9 and causal and (isinstance(queries, str) or isinstance(keys, str)):
        message = (
            f"expected queries and keys as numbers for a causal rule before opset 9 (got {queries!r} and "
            f"{keys!r} at opset {opset}); fix both, or raise the opset"
        )
        raise ValueError(message)
    lengths: dict[object, str | int] = {"batch": batch, "heads": count, "queries": queries, "keys": keys}
    return Layout(
        heads=count,
        head_size=size,
        kv_heads=kv_count,
        value_size=size if value_size is None else check_count("value_size", value_size),
        mask=None if mask is None else str(mask),
        mask_shape=tuple(lengths.get(axis, 1) for axis in _mask_axes(mask_axes)),
        causal=bool(causal),
        scale=None if scale is None else float(check_positive("scale", scale, compute)),
        softcap=None if softcap is None else float(check_positive("softcap", softcap, compute)),
        sink=None if sink is None else _check_sink(sink, count, dtype),
        folded=bool(folded),
        queries=queries,
        keys=keys,
        batch=batch,
    )


def _check_sink(sink: ArrayLike, heads: int, dtype: np.dtype[Any]) -> NDArray[Any] | str:
    """Return a logit for each head in ``dtype``, none of them +inf or NaN, or ``"input"`` as it is."""
    if isinstance(sink, str):
        if sink != "input":
            message = f"expected sink as a logit for each head or 'input' (got {sink!r}); pass one of these"
            raise ValueError(message)
        return sink
    given = as_array("sink", sink)
    if given.shape != (heads,):
        message = (
            f"expected sink of shape ({heads},), a logit for each head of queries (got {given.shape}); "
            "pass one for each, -inf for a head without a sink"
        )
        raise ValueError(message)
    absent = given == -np.inf
    floats = as_floats("sink", np.where(absent, np.zeros((), given.dtype), given), dtype)
    floats[absent] = -np.inf
    return floats


def _mask_axes(axes: Any) -> tuple[Any, ...]:
    given = tuple(axes) if isinstance(axes, Sequence) and not isinstance(axes, str) else ()
    own = AXES[len(AXES) - len(given) :] if len(given) <= len(AXES) else ()
    fits = len(own) == len(given) > 0 and all(a in (b, 1) for a, b in zip(given, own, strict=True))
    if not fits or given[-1] != "keys":
        message = (
            f"expected mask_axes as the last of {AXES}, with 1 for those it has not, but for 'keys' "
            f"(got {axes!r}); pass for instance ('batch', 1, 1, 'keys')"
        )
        raise ValueError(message)
    return given
