"""A small network, and its outputs from other frameworks."""

import numpy as np
import onnx
import onnxruntime

NETWORK = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N,16] x) => (float[N,10] logits, int64[N] label) {
        hidden = MatMul(x, w1)
        half = Mul(hidden, a_half)
        scaled = Mul(hidden, root)
        curve = Erf(scaled)
        above = Add(curve, one)
        active = Mul(half, above)
        logits = MatMul(active, w2)
        label = ArgMax <axis = 1, keepdims = 0> (logits)
    }
"""
"""A layer, GELU and another layer; no scores of a row are nearly equal in `inputs`."""


def network(**changed):
    """Return the network; `changed` replaces its constants."""
    random = np.random.default_rng(5)
    constants = {
        "w1": random.normal(size=(16, 32)) / 4,
        "w2": random.normal(size=(32, 10)) / 6,
        "a_half": np.array(0.5),
        "one": np.array(1.0),
        "root": np.array(0.5**0.5),
    }
    model = onnx.parser.parse_model(NETWORK)
    for name, array in {**constants, **changed}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    return model


def inputs(rows=20, seed=1):
    """Return what the network is fed."""
    return {"x": np.random.default_rng(seed).normal(size=(rows, 16)).astype(np.float32)}


def by_onnxruntime(model, feeds, *between):
    """Return what onnxruntime makes of it, by name, with tensors in between."""
    longer = onnx.ModelProto()
    longer.CopyFrom(model)
    longer.graph.output.extend(onnx.ValueInfoProto(name=name) for name in between)
    session = onnxruntime.InferenceSession(longer.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in longer.graph.output]
    return dict(zip(names, session.run(names, feeds), strict=True))
