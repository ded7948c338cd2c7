"""Large tensors kept out of a model while onnx's C++ looks at it, which takes no more than 2 GiB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnx
from onnx import TensorProto, external_data_helper

from .walk import tensors

_KEPT_BYTES_MIN = 1 << 16
_MARK = "softops.kept"


@contextmanager
def kept_outside(model: onnx.ModelProto) -> Iterator[None]:
    """Take the bytes of large tensors out of the model; they come back when the context ends."""
    kept: dict[str, bytes] = {}
    for tensor in tensors(model):
        if len(tensor.raw_data) >= _KEPT_BYTES_MIN and not external_data_helper.uses_external_data(tensor):
            mark = str(len(kept))
            kept[mark] = tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key=_MARK, value=mark)
    try:
        yield
    finally:
        for tensor in tensors(model):
            if len(tensor.external_data) == 1 and tensor.external_data[0].key == _MARK:
                tensor.raw_data = kept[tensor.external_data[0].value]
                tensor.ClearField("external_data")
                tensor.ClearField("data_location")
