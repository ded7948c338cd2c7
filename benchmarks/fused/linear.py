"""A linear layer with its softmax: classifier heads, and the step of a language model over its vocabulary."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import ml_dtypes
import numba
import numpy as np

from softops.numba_kernels import linear_softmax

from ..peers.peer import Prepared, returning
from ..results import OURS
from ..workloads import Array
from .libraries import session, softmax_by_hand, torch_on
from .task import AFTER_PRODUCTS, Task

# rows, features, classes
HEADS = [(256, 64, 10), (256, 512, 1000), (8, 1024, 50257)]
_STEP = HEADS[-1]
_MODEL = """<ir_version: 8, opset_import: ["" : 17]>
head (float[n, d] x, float[v, d] w, float[v] b) => (float[n, v] p) {
    z = Gemm <transB = 1> (x, w, b)
    p = Softmax (z) }"""


@cache
def layer(shape: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """Features, weights and a bias, the same ones for everybody."""
    rows, features, classes = shape
    rng = np.random.default_rng(30)
    x = rng.standard_normal((rows, features), np.float32)
    weight = rng.standard_normal((classes, features), np.float32) * np.float32(features**-0.5)
    return x, weight, rng.standard_normal(classes, np.float32)


def _by_softops(shape: tuple[int, int, int], dtype: Any, threads: int) -> Prepared:
    numba.set_num_threads(threads)
    x, weight, bias = layer(shape)
    weights = weight.astype(dtype)
    return returning(lambda: linear_softmax(x, weights, bias), np.asarray)


def _by_numpy(shape: tuple[int, int, int], threads: int) -> Prepared:
    del threads
    x, weight, bias = layer(shape)

    def head() -> Array:
        return softmax_by_hand(x @ weight.T + bias)

    return returning(head, np.asarray)


def _by_torch(shape: tuple[int, int, int], half: bool, threads: int) -> Prepared:
    torch = torch_on(threads)
    tensors = [torch.from_numpy(array) for array in layer(shape)]
    if half:
        tensors = [tensor.bfloat16() for tensor in tensors]

    def head() -> Any:
        return torch.softmax(torch.nn.functional.linear(*tensors), -1)

    return returning(head, lambda p: p.float().numpy())


def _model(shape: tuple[int, int, int]) -> Any:
    """A head with its weights inside."""
    import onnx

    model = onnx.parser.parse_model(_MODEL)
    x, weight, bias = layer(shape)
    graph = model.graph
    del graph.input[1:]
    for name, array in (("w", weight), ("b", bias)):
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for value, sizes in ((graph.input[0], x.shape), (graph.output[0], (len(x), len(bias)))):
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes, strict=True):
            dim.dim_value = size
    return model


def _by_onnxruntime(shape: tuple[int, int, int], threads: int) -> Prepared:
    run = session(_model(shape), threads).run
    feeds = {"x": layer(shape)[0]}
    return returning(lambda: run(None, feeds), lambda results: np.asarray(results[0]))


def _by_openvino(shape: tuple[int, int, int], precision: str, threads: int) -> Prepared:
    import openvino as ov

    core = ov.Core()
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }
    compiled = core.compile_model(core.read_model(_model(shape).SerializeToString()), "CPU", options)
    request = compiled.create_infer_request()
    request.set_input_tensor(0, ov.Tensor(layer(shape)[0]))
    return returning(
        lambda: request.infer(share_outputs=True), lambda _: np.array(request.get_output_tensor(0).data)
    )


@cache
def _exactly(shape: tuple[int, int, int]) -> Array:
    x, weight, bias = (array.astype(np.float64) for array in layer(shape))
    return softmax_by_hand(x @ weight.T + bias)


def _wrong(shape: tuple[int, int, int], most: float, p: Array) -> str | None:
    right = _exactly(shape)
    if p.shape != right.shape:
        return f"wrong result: shape {p.shape}"
    error = float((np.abs(p - right) / right.max(-1, keepdims=True)).max())
    return None if error <= most else f"wrong result: {error:.2g} of a row's largest probability"


def _head(shape: tuple[int, int, int]) -> Task:
    libraries: dict[str, Callable[[int], Prepared]] = {
        OURS: partial(_by_softops, shape, np.float32),
        "torch": partial(_by_torch, shape, False),
        "onnxruntime": partial(_by_onnxruntime, shape),
        "OpenVINO": partial(_by_openvino, shape, "f32"),
        "NumPy": partial(_by_numpy, shape),
    }
    rows, features, classes = shape
    name = f"linear + softmax ({rows}, {features}) → {classes}"
    return Task(name, lambda: layer(shape)[0], libraries, partial(_wrong, shape, 1e-4), AFTER_PRODUCTS)


def _half_step() -> Task:
    """Weights of bfloat16; the others compute in it, too, or have weights of float32 where they cannot."""
    libraries: dict[str, Callable[[int], Prepared]] = {
        OURS: partial(_by_softops, _STEP, ml_dtypes.bfloat16),
        "torch": partial(_by_torch, _STEP, True),
        "onnxruntime": partial(_by_onnxruntime, _STEP),
        "OpenVINO": partial(_by_openvino, _STEP, "bf16"),
    }
    rows, features, classes = _STEP
    name = f"linear + softmax ({rows}, {features}) → {classes}, bfloat16 weights"
    return Task(name, lambda: layer(_STEP)[0], libraries, partial(_wrong, _STEP, 0.1), AFTER_PRODUCTS)


TASKS = (*(_head(shape) for shape in HEADS), _half_step())
