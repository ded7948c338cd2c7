"""The runtimes of the page: what each is called for `softops conformance`, and the packages that bring it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """
    A runtime of the page.

    Attributes
    ----------
    name
        Its column, and the name of its folders and of its run.
    packages
        As pip takes them, each with its version.
    runtime
        What `softops conformance` takes for it; the name where it is left out.
    note
        What a reader has to know of how it was run.
    variables
        Variables of its process.
    dtypes, opsets
        Those that it is judged in, with commas; all where left out. For compilers that take a second for each model.
    node
        The folder of a program in Node that is the runtime: npm installs what its ``package.json`` names.
    version
        Of the runtime, where it tells none by itself.
    like
        A runtime of the same code, whose known deviations tell the causes of this one's.
    clang
        Whether its process calls clang, which ``ziglang`` among the packages then is.
    """

    name: str
    packages: tuple[str, ...] = ()
    runtime: str = ""
    note: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    dtypes: str = ""
    opsets: str = ""
    node: str = ""
    version: str = ""
    like: str = ""
    clang: bool = False

    @property
    def asked(self) -> str:
        """What stands behind ``--runtime``."""
        return self.runtime or self.name


ENTRIES = (
    Entry("softops", note="our own backend"),
    Entry("onnxruntime", ("onnxruntime==1.32.0",), note="CPU, all graph optimisations"),
    Entry(
        "onnxruntime-web",
        runtime="cmd: node batch.mjs {folder}",
        note="WebAssembly in Node, by `examples/onnxruntime_web`",
        node="examples/onnxruntime_web",
        version="1.30.0",
        like="onnxruntime",
    ),
    Entry(
        "openvino",
        ("openvino==2026.4.1",),
        "openvino:precision=f32",
        "CPU, asked for float32; by itself it chooses bfloat16 on processors that have it",
    ),
    Entry("torch", ("torch==2.13.0",), note="its own functions, called as single nodes say"),
    Entry("onnx.reference", ("onnx==1.23.2",), note="the reference evaluator of onnx"),
    Entry("tract", ("tract==0.23.9",)),
    Entry(
        "tinygrad",
        ("tinygrad==0.14.0", "ziglang==0.17.1"),
        note="on the CPU, its kernels compiled by the clang in `ziglang` 0.17.1",
        variables={"DEV": "CPU"},
        dtypes="float32",
        opsets="12,24",
        clang=True,
    ),
    Entry(
        "tvm",
        ("apache-tvm==0.27.0.post1",),
        note="Apache TVM, the ONNX frontend of Relax, compiled by LLVM",
        dtypes="float32",
        opsets="12,24",
    ),
    Entry(
        "iree",
        ("iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0"),
        note="imported as `iree-import-onnx` does, compiled for the processor at hand (`llvm-cpu`)",
        dtypes="float32",
        opsets="12,24",
    ),
    Entry(
        "mnn",
        ("MNN==3.6.1",),
        note="converted by its converter; it has no int64: labels and indices go by way of int32",
    ),
    Entry(
        "ncnn",
        ("ncnn==1.0.20261020", "pnnx==20261020"),
        note="converted by pnnx; it has tensors of float32 with up to four axes",
    ),
    Entry("jax", ("jax==0.10.2",), note="JAX's own functions (`jax.nn`), called as single nodes say"),
    Entry(
        "jaxonnxruntime",
        ("jaxonnxruntime==0.3.0", "jax==0.10.2", "absl-py==2.5.1"),
        "backend:jaxonnxruntime.backend:Backend",
        "ONNX models read into JAX; a project apart from JAX",
    ),
)
"""In the order of the columns."""
