"""What an attention that was found computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compute import DTYPES, Ruled, attended
from .mixing import Product
from .scores import Mask, multiplied
from .softmax import Normalized
from .views import View, heads_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Attention:
    """
    An attention, all but its arrays; called with queries, keys, values, what their views need, scales, caps and masks.

    Attributes
    ----------
    product, mixing
        How operands and result of its two products lie.
    keys, values
        Where they come from.
    scales, caps
        Of each scale before and behind the Tanh whether it is a divisor; no caps where there is no Tanh.
    masks
        In their order.
    softmax
        What is known of its axis.
    zeroes
        Whether rows that are NaN become 0 behind the softmax.
    widened
        Whether the scores are cast to float32.
    narrowed
        What the probabilities are cast to behind the softmax, None where they are not.
    """

    product: Product
    mixing: Product
    keys: View
    values: View
    scales: tuple[bool, ...]
    caps: tuple[bool, ...] | None
    masks: tuple[Mask, ...]
    softmax: Normalized
    zeroes: bool
    widened: bool
    narrowed: np.dtype[Any] | None

    def __call__(self, q: Array, keys: Array, values: Array, *others: Array) -> Array | None:
        """The mixed values, or None for arrays that the nodes have to work on by themselves."""
        rank, dtype, rest = q.ndim, q.dtype, list(others)
        if not self._takes(q, keys, values):
            return None
        of_keys, of_values = (_taken(rest, len(view.shapes)) for view in (self.keys, self.values))
        scale = multiplied(_taken(rest, len(self.scales)), self.scales, dtype)
        cap = None if self.caps is None else multiplied(_taken(rest, len(self.caps)), self.caps, dtype)
        k = heads_of(self.keys, _laid(keys, self.product.second_order), of_keys, turned=self.product.turned)
        v = heads_of(self.values, _laid(values, self.mixing.second_order), of_values, turned=False)
        if scale is None or (cap is None) != (self.caps is None) or k is None or v is None or k[1] != v[1]:
            return None
        q4, k4, v4 = (_of_rank_4(x) for x in (_laid(q, self.product.first_order), k[0], v[0]))
        masks = self._masks(rest, (*q4.shape[:3], k4.shape[2]), rank, dtype)
        if masks is None or not _fit(q4, k4, v4, k[1] if rank == 4 else q4.shape[1]):
            return None
        y = attended(q4, k4, v4, scale=scale, cap=cap, masks=masks, zeroes=self.zeroes)
        if y is None:
            return None
        if rank < 4:
            return y[:, 0] if rank == 3 else y[0, 0]
        return _laid(y, self.mixing.order)

    def _takes(self, q: Array, keys: Array, values: Array) -> bool:
        """Whether ranks and dtypes are one, and ones that are known, and the softmax goes along the last axis."""
        rank, dtype = q.ndim, q.dtype
        einsum = self.product.first_order or self.mixing.second_order
        return (
            2 <= rank <= 4
            and dtype in DTYPES
            and self.narrowed in (dtype, None)
            and not (
                self.widened and (dtype == np.float64 or (dtype != np.float32 and self.narrowed is None))
            )
            and all(x.ndim == rank and x.dtype == dtype for x in (keys, values))
            and self.softmax.axis(rank) == rank - 1
            and not (rank < 4 and einsum)
        )

    def _masks(
        self, rest: list[Array], full: tuple[int, ...], rank: int, dtype: np.dtype[Any]
    ) -> list[Ruled] | None:
        """The masks as they broadcast to the scores; None where one does not."""
        found: list[Ruled] = []
        numbers = (dtype, np.float32) if self.widened else (dtype,)
        for mask in self.masks:
            (array,) = _taken(rest, 1)
            fill = _taken(rest, 1)[0] if mask.fill else None
            if array.dtype not in (numbers if mask.how == "add" else (np.bool_,)) or array.ndim > rank:
                return None
            if fill is not None and (fill.size != 1 or fill.dtype not in numbers or fill.ndim > rank):
                return None
            if rank == 3 and array.ndim == 3:
                array = array[:, None]
            pairs = zip(array.shape[::-1], full[::-1], strict=False)
            if any(own not in (1, length) for own, length in pairs):
                return None
            allowed = ~array if mask.how == "drop" else array
            found.append(Ruled(allowed, None if fill is None else float(fill.reshape(()))))
        return found


def _laid(x: Array, order: tuple[int, ...]) -> Array:
    return x.transpose(order) if order else x


def _of_rank_4(x: Array) -> Array:
    """With one head, and with one batch."""
    return x if x.ndim == 4 else x[:, None] if x.ndim == 3 else x[None, None]


def _taken(values: list[Array], count: int) -> list[Array]:
    """The first so many, which are taken out."""
    first = values[:count]
    del values[:count]
    return first


def _fit(q: Array, k: Array, v: Array, heads: int) -> bool:
    """Whether each head of keys serves as many heads of queries; NumPy's products would repeat one alone."""
    return (
        q.shape[0] == k.shape[0] == v.shape[0]
        and heads in (1, q.shape[1])
        and k.shape[1] == v.shape[1]
        and q.shape[1] % k.shape[1] == 0
        and q.shape[3] == k.shape[3]
        and k.shape[2] == v.shape[2]
        and min(q.size, k.size, v.size) > 0
    )
