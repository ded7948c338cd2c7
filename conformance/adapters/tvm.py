"""Apache TVM, by the ONNX frontend of Relax."""

from __future__ import annotations

import onnx

from .adapter import Adapter, Arrays, Prepared, made_by


class Tvm(Adapter):
    """TVM, compiled by LLVM for the CPU."""

    name, package = "tvm", "apache-tvm"
    modules = ("tvm", "tvm.relax.frontend.onnx")
    not_supported = ("are not supported for frontend", "must be a constant", "Only constant")

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Compile the model."""
        import tvm

        compiled = tvm.compile(tvm.relax.frontend.onnx.from_onnx(proto), "llvm")
        machine = tvm.relax.VirtualMachine(compiled, tvm.cpu())

        def run(arrays: Arrays) -> Arrays:
            found = machine["main"](*map(tvm.runtime.tensor, arrays))
            return [y.numpy() for y in ([found] if isinstance(found, tvm.runtime.Tensor) else found)]

        return run


from_options = made_by(Tvm)
