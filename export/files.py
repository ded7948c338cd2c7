"""The atomic writer of `softops.opset.files`, under the name that exporters know it by."""

from softops.opset.files import MODEL_BYTES_MAX, save_model, serialize, write_atomic

__all__ = ["MODEL_BYTES_MAX", "save_model", "serialize", "write_atomic"]
