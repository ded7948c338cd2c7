"""Models written as text."""

import onnx
from onnx import numpy_helper


def parsed(text, **arrays):
    """Return the model of a text, with arrays as its constants."""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model
