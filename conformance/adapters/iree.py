"""IREE, by its importer of ONNX models."""

from __future__ import annotations

import onnx

from softops.opset.graph.by_onnx import infer

from .adapter import Adapter, Arrays, Prepared, made_by


class Iree(Adapter):
    """IREE, compiled by LLVM for this CPU."""

    name, package = "iree", "iree-base-compiler"
    modules = ("iree.runtime", "iree.compiler.tools", "iree.compiler.extras.onnx_importer")
    not_supported = ("failed to legalize operation 'torch.operator'",)

    def prepare(self, model: bytes, proto: onnx.ModelProto) -> Prepared:
        """Import the model as ``iree-import-onnx`` does, and compile it."""
        from iree import compiler, runtime

        importer = compiler.extras.onnx_importer
        info = importer.ModelInfo(infer(proto))
        module = info.create_module(context=compiler.ir.Context()).operation
        importer.NodeImporter.define_function(info.main_graph, module).import_all()
        cpu = ["--iree-llvmcpu-target-cpu=host"]
        code = compiler.tools.compile_str(module.get_asm(), target_backends=["llvm-cpu"], extra_args=cpu)
        loaded = runtime.load_vm_flatbuffer(code, driver="local-sync")[proto.graph.name]

        def run(arrays: Arrays) -> Arrays:
            found = loaded(*arrays)
            return [y.to_host() for y in (found if isinstance(found, tuple | list) else [found])]

        return run

    def line(self, error: BaseException) -> str:
        """Return what the compiler found, not which tool was called."""
        said = (line.partition("error: ")[2] for line in str(error).splitlines())
        return next(filter(None, said), super().line(error))


from_options = made_by(Iree)
