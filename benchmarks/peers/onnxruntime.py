"""ONNX Runtime, its CPU provider, through I/O binding."""

from typing import Any

import numpy as np

from ..workloads import Array, Inputs, Workload, place
from .onnx_model import ELEMENT, onnx_model
from .peer import Peer, Prepared


class OnnxRuntime(Peer):
    """A session over a model of one node whose input and output are bound to given memory."""

    name = "onnxruntime"
    distribution = "onnxruntime"
    module = "onnxruntime"
    output = "bound to a given array, in place to the input's; its threads spin as by default"

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`."""
        ort = self.library()
        model = onnx_model(workload)
        if model is None:
            return None
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        errors = ort.capi.onnxruntime_pybind11_state
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except (errors.NotImplemented, errors.InvalidGraph):
            return None
        shape: tuple[int, ...] = tuple(session.get_outputs()[0].shape)
        x, out = place(workload, inputs.x, shape)
        binding = session.io_binding()
        element = ELEMENT[workload.dtype]

        def bind(how: Any, name: str, kind: Any, array: Array) -> None:
            how(name, "cpu", 0, kind, array.shape, array.ctypes.data)

        bind(binding.bind_input, "x", element, x)
        if workload.operator == "cross_entropy":
            bind(binding.bind_input, "labels", np.int64, inputs.labels)
        bind(binding.bind_output, "y", element, out)
        run = session.run_with_iobinding
        return Prepared(lambda: run(binding), lambda: out)
