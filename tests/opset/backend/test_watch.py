"""A run tells of its progress."""

import numpy as np
import onnx

from softops.opset.backend import prepare


def test_how_many_nodes_are_done_and_what_they_made():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[N,4] x) => (float[N,4] y) { a = Relu(x) b = Exp(a) y = Neg(b) }
    """)
    seen = []
    prepare(model).run({"x": np.zeros((2, 4), np.float32)}, watch=lambda *now: seen.append(now))
    assert seen == [(1, 3, 32), (2, 3, 32), (3, 3, 32)]
