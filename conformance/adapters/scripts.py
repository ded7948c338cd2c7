"""What runs ``model.onnx`` in these runtimes without softops: the lines of a reproduction, and their imports."""

from __future__ import annotations

_TRACT = """\
model = runtime.onnx().load(here / "model.onnx").into_model().into_runnable()
found = [y.to_numpy() for y in model.run(list(inputs.values()))]
"""
_TINYGRAD = """\
found = [y.numpy() for y in OnnxRunner(str(here / "model.onnx"))(inputs).values()]
"""
_TVM = """\
compiled = runtime.compile(from_onnx(onnx.load(here / "model.onnx")), "llvm")
found = runtime.relax.VirtualMachine(compiled, runtime.cpu())["main"](*map(runtime.runtime.tensor, inputs.values()))
found = [y.numpy() for y in ([found] if isinstance(found, runtime.runtime.Tensor) else found)]
"""
_IREE = """\
subprocess.run(["iree-import-onnx", here / "model.onnx", "-o", here / "model.mlir"], check=True)
cpu = ["--iree-llvmcpu-target-cpu=host"]
code = tools.compile_file(str(here / "model.mlir"), target_backends=["llvm-cpu"], extra_args=cpu)
name = onnx.load(here / "model.onnx").graph.name
found = runtime.load_vm_flatbuffer(code, driver="local-sync")[name](*inputs.values())
found = [y.to_host() for y in (found if isinstance(found, tuple | list) else [found])]
"""
_MNN = """\
files = ["--modelFile", str(here / "model.onnx"), "--MNNModel", str(here / "model.mnn")]
_tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "MNN"])
net = runtime.nn.load_module_from_file(str(here / "model.mnn"), list(inputs), list(expected))
types = {"float32": "float", "int32": "int", "uint8": "uint8", "int8": "int8"}
values = [
    runtime.expr.const(x.copy("C"), list(x.shape), runtime.expr.NCHW, getattr(runtime.expr, types[x.dtype.name]))
    for x in inputs.values()
]
found = [np.array(y.read()) for y in net.forward(values)]
"""
_NCNN = """\
subprocess.run([pnnx.EXEC_PATH, "model.onnx"], cwd=here, check=True)
net = runtime.Net()
net.load_param(str(here / "model.ncnn.param"))
net.load_model(str(here / "model.ncnn.bin"))
extractor = net.create_extractor()
for name, x in zip(net.input_names(), inputs.values(), strict=True):
    extractor.input(name, runtime.Mat(np.ascontiguousarray(x), batch_index=233).clone())
found = [extractor.extract(name)[1].numpy(batch_index=233) for name in net.output_names()]
"""

SCRIPTS = {
    "tract": (_TRACT, "import tract as runtime"),
    "tinygrad": (_TINYGRAD, "import tinygrad as runtime", "from tinygrad.nn.onnx import OnnxRunner"),
    "tvm": (_TVM, "import onnx", "import tvm as runtime", "from tvm.relax.frontend.onnx import from_onnx"),
    "iree": (
        _IREE,
        *("import subprocess", "import iree.compiler.tools as tools", "import iree.runtime as runtime"),
        "import onnx",
    ),
    "mnn": (_MNN, "import _tools  # MNN's converter", "import MNN as runtime", "import MNN.expr, MNN.nn"),
    "ncnn": (_NCNN, "import subprocess", "import ncnn as runtime", "import pnnx"),
}
"""By runtime the lines, which bind ``found``, and the imports, which bind ``runtime``."""
