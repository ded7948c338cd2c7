"""
onnxruntime as a program of its own, which `softops conformance` starts once and asks for case after case:

    softops conformance --runtime "cmd: python examples/batch_runtime.py {folder}"

Take it for a start: what your runtime does stands in `run`.
"""

import json
import sys

import numpy as np
import onnxruntime as ort

sessions: dict[str, ort.InferenceSession] = {}


def run(case: dict[str, str]) -> None:
    """Run a model on arrays by name, and save the outputs by name."""
    model = case["model"]
    if model not in sessions:  # one path is one model
        sessions.clear()
        sessions[model] = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    with np.load(case["inputs"]) as inputs:
        outputs = sessions[model].run(None, dict(inputs))
    names = [output.name for output in sessions[model].get_outputs()]
    np.savez(case["outputs"], **dict(zip(names, outputs, strict=True)))


for line in sys.stdin:
    try:
        run(json.loads(line))
        print("ok", flush=True)
    except Exception as error:
        text = " ".join(str(error).split())  # an answer is one line
        missing = "NOT_IMPLEMENTED" in text or "bfloat16" in text
        print("unsupported" if missing else "error", text, flush=True)
