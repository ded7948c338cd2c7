"""Check a runtime of one's own, with a planted fault, and find the fault by what the report says.

    python examples/own_runtime.py

Writes own-runtime-report, with report.html and a folder that reproduces each kind of failure, into the working folder.
"""

import numpy as np
import onnx

from softops import conformance


class OwnRuntime:
    """Softmax in float32. The fault: below opset 13 several axes are one row, which it does not know."""

    name = "own runtime"
    version = "0.1"

    def supports(self, op: str, opset: int, dtype: str) -> str | None:
        return None if op == "Softmax" and dtype == "float32" else "Softmax in float32 only"

    def run(self, model: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        graph = onnx.load_from_string(model).graph
        if len(graph.node) > 1:
            message = "graphs of several nodes"
            raise NotImplementedError(message)
        axis = next((a.i for a in graph.node[0].attribute if a.name == "axis"), -1)
        (x,) = feeds.values()
        with np.errstate(all="ignore"):
            e = np.exp(x - x.max(axis=axis, keepdims=True))
            return [e / e.sum(axis=axis, keepdims=True)]


report = conformance.run(OwnRuntime(), ops=["Softmax"], quick=True)
print(report)
report.write("own-runtime-report")
