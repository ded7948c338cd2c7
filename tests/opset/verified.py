"""Single nodes that our backend runs by an implementation that counts as verified."""

import onnx

from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified


def run(op_type, opset, inputs, outputs=1, *, domain="", **attributes):
    """The outputs of a node; an input of None is left out."""
    names = ["" if x is None else f"x{k}" for k, x in enumerate(inputs)]
    node = onnx.helper.make_node(
        op_type, names, [f"y{k}" for k in range(outputs)], domain=domain, **attributes
    )
    assert is_verified(node, {domain: opset})
    return run_node(node, [x for x in inputs if x is not None], opset_version=opset)
