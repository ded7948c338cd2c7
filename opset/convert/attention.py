"""
Attention across its versions.

23 → 24
    A mask shorter than the keys is broadcast in 23, and padded with what masks out since 24: of length 1 it says
    something else. Where its length is not known to be that of the keys, an Expand or a Pad makes it so.
24 → 25
    Numbers of heads beside tensors of rank 4, and lengths of a cache beside its new keys and values, are refused.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper

from ..graph.types import Dimension
from .step import Step

_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
_SHORT_MASKS_SINCE, _HEADS_OF_3D_SINCE = 24, 25
_KEY, _MASK, _PAST_KEY, _CACHE_LENGTHS = 1, 3, 4, 6


def attention(step: Step) -> list[NodeProto] | None:
    """Return the node at the neighbouring opset, with a mask that means the same there."""
    up = step.source < step.target
    if step.target < _SHORT_MASKS_SINCE <= step.source and _given(step, _CACHE_LENGTHS):
        step.refuse("lengths of a cache are new in opset 24")
    if max(step.source, step.target) == _SHORT_MASKS_SINCE and _given(step, _MASK) and not _fits(step):
        return _with_full_mask(step, up)
    if up and step.target == _HEADS_OF_3D_SINCE:
        if _given(step, _CACHE_LENGTHS) and any(step.node.output[1:3]):
            step.refuse("lengths of a cache beside new keys and values are refused since opset 25")
        query = step.lengths(step.node.input[0])
        if query is not None and len(query) == 4:
            result = step.copy(without=["q_num_heads", "kv_num_heads"])
            step.check_types(result)
            return [result]
    return None


def _given(step: Step, position: int) -> str:
    return str(step.node.input[position]) if len(step.node.input) > position else ""


def _fits(step: Step) -> bool:
    """Whether the mask is as long as there are keys, for certain."""
    mask, key = (step.scope.value_type(_given(step, at)).shape for at in (_MASK, _KEY))
    if mask is None or key is None or not mask or len(key) < 2:
        return False
    own, keys = mask[-1], key[-2]
    if not _given(step, _PAST_KEY):
        return own is not None and own == keys and own != 0
    past = step.scope.value_type(_given(step, _PAST_KEY)).shape
    total = None if past is None or len(past) < 2 else _sum(past[-2], keys)
    return total is not None and own == total


def _sum(past: Dimension, keys: Dimension) -> int | None:
    return past + keys if isinstance(past, int) and isinstance(keys, int) and keys > 0 else None


def _with_full_mask(step: Step, up: bool) -> list[NodeProto]:
    """The node, and before it the mask as long as there are keys, those of the cache among them."""
    mask, nodes = _given(step, _MASK), list[NodeProto]()

    def length(value: str, at: int) -> str:
        whole = step.made("Shape", [value])
        place = step.store(np.array([at], np.int64), f"{step.node.output[0]}_axis", nodes)
        part = step.made("Gather", [whole.output[0], place])
        nodes.extend((whole, part))
        return str(part.output[0])

    def computed(op_type: str, *inputs: str) -> str:
        nodes.append(step.made(op_type, inputs))
        return str(nodes[-1].output[0])

    keys = length(_given(step, _KEY), -2)
    if _given(step, _PAST_KEY):
        keys = computed("Add", length(_given(step, _PAST_KEY), -2), keys)
    if up:
        full = computed("Expand", mask, keys)
    else:
        value = step.store(_masked_out(step, mask), f"{step.node.output[0]}_masked_out", nodes)
        missing = computed("Sub", keys, length(mask, -1))
        zero = step.store(np.array([0], np.int64), f"{step.node.output[0]}_none", nodes)
        last = step.store(np.array([-1], np.int64), f"{step.node.output[0]}_last", nodes)
        pads = computed("Concat", zero, missing)
        nodes[-1].attribute.append(helper.make_attribute("axis", 0))
        full = computed("Pad", mask, pads, value, last)
    result = step.copy()
    result.input[_MASK] = full
    step.check_types(result)
    return [*nodes, result]


def _masked_out(step: Step, mask: str) -> TensorProto:
    """What a mask is padded with."""
    element = step.scope.element(mask)
    if element == TensorProto.BOOL:
        return helper.make_tensor("masked_out", element, [], [False])
    if element not in _FLOATS:
        step.refuse(
            "a mask shorter than the keys is padded since opset 24, and its type is none that can be here"
        )
    return helper.make_tensor("masked_out", element, [], [float("-inf")])
