"""OpenVINO's CPU plug-in."""

from ..workloads import Array, Inputs, Workload, place
from .onnx_model import onnx_model
from .peer import Peer, Prepared


class OpenVino(Peer):
    """A compiled model of one node that reads and writes given memory."""

    name = "OpenVINO"
    distribution = "openvino"
    module = "openvino"
    output = "tensors over given arrays, in place both over one; compiled for latency, float32 inside"

    def prepare(self, workload: Workload, inputs: Inputs, threads: int) -> Prepared | None:
        """See `Peer.prepare`; float64 is left out: the plug-in computes it in float32."""
        ov = self.library()
        model = onnx_model(workload)
        if model is None or workload.dtype == "float64":
            return None
        core = ov.Core()
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = core.compile_model(core.read_model(model), "CPU", options)
        request = compiled.create_infer_request()
        x, out = place(workload, inputs.x, tuple(compiled.outputs[0].shape))
        element = compiled.outputs[0].element_type

        def tensor(array: Array, kind: object) -> object:
            view = array.view("uint16") if array.dtype.name == "bfloat16" else array
            return ov.Tensor(view, array.shape, kind)

        request.set_input_tensor(0, tensor(x, compiled.inputs[0].element_type))
        if workload.operator == "cross_entropy":
            request.set_input_tensor(1, tensor(inputs.labels, compiled.inputs[1].element_type))
        request.set_output_tensor(0, tensor(out, element))
        infer = request.infer
        return Prepared(lambda: infer(share_outputs=True), lambda: out)
