"""Activations and normalizations of transformers, one node each."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numba
import numpy as np

from softops import numba_kernels

from ..peers.peer import Prepared
from ..results import OURS
from ..workloads import Array, aligned_copy, aligned_empty
from .libraries import session, torch_on
from .task import Task

FLOAT32 = np.dtype(np.float32)
ACTIVATIONS = {
    # by our name: (that of torch.nn.functional or torch, options, ONNX's node)
    "tanh": ("tanh", {}, "Tanh (x)"),
    "erf": ("erf", {}, "Erf (x)"),
    "gelu": ("gelu", {}, "Gelu (x)"),
    "gelu by tanh": ("gelu", {"approximate": "tanh"}, 'Gelu <approximate = "tanh"> (x)'),
    "swish": ("silu", {}, None),
    "mish": ("mish", {}, "Mish (x)"),
    "hard_swish": ("hardswish", {}, "HardSwish (x)"),
}
ROWS = ((128, 256), (4096, 1024))
EPSILON = 1e-5


@cache
def numbers(shape: tuple[int, ...]) -> Array:
    """Normal with standard deviation 3, the same ones for everybody."""
    return aligned_copy(3 * np.random.default_rng(20).standard_normal(shape, np.float32), FLOAT32)


@cache
def factors(n: int) -> tuple[Array, Array]:
    """A weight and a bias."""
    random = np.random.default_rng(21)
    weight, bias = random.uniform(0.5, 2, n), random.standard_normal(n)
    return aligned_copy(weight, FLOAT32), aligned_copy(bias, FLOAT32)


def _given(call: Callable[[], Any], out: Array) -> Prepared:
    """A call that writes to a given array."""
    return Prepared(call, lambda: out)


def _activation_of_softops(name: str, shape: tuple[int, ...], threads: int) -> Prepared:
    numba.set_num_threads(threads)
    function: Any = getattr(numba_kernels, name.partition(" ")[0])
    x, out = numbers(shape), aligned_empty(shape, FLOAT32)
    return _given(partial(function, x, **ACTIVATIONS[name][1], out=out), out)


def _activation_of_torch(name: str, shape: tuple[int, ...], threads: int) -> Prepared:
    torch, (function, options, _) = torch_on(threads), ACTIVATIONS[name]
    x, out = torch.from_numpy(numbers(shape)), torch.empty(shape)
    given: Any = getattr(torch.ops.aten, function).out
    return Prepared(partial(given, x, **options, out=out), out.numpy)


def _of_onnxruntime(node: str, shape: tuple[int, ...], weights: tuple[str, ...], threads: int) -> Prepared:
    """A session over a node, its input and output bound to given arrays; weights are constants."""
    import onnx

    dims = ", ".join(map(str, shape))
    text = (
        f'<ir_version: 10, opset_import: ["" : 23]> g (float[{dims}] x) => (float[{dims}] y) {{ y = {node} }}'
    )
    model = onnx.parser.parse_model(text)
    for name, array in zip(weights, factors(shape[-1]) if weights else (), strict=False):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    running = session(model, threads)
    x, out = numbers(shape), aligned_empty(shape, FLOAT32)
    binding, float32 = running.io_binding(), onnx.TensorProto.FLOAT
    binding.bind_input("x", "cpu", 0, float32, shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, float32, shape, out.ctypes.data)
    return _given(partial(running.run_with_iobinding, binding), out)


def _activation_of_float64(name: str, shape: tuple[int, ...]) -> Array:
    function: Any = getattr(numba_kernels, name.partition(" ")[0])
    result: Array = function(numbers(shape).astype(np.float64), **ACTIVATIONS[name][1])
    return result


def _wrong(expected: Callable[[], Array], result: Array) -> str | None:
    exact = expected()
    error = float(np.max(np.abs(result - exact) / (np.abs(exact) + np.abs(exact).mean())))
    return None if error <= 1e-5 else f"wrong result: relative error {error:.2g}"


def _activation(name: str, shape: tuple[int, ...]) -> Task:
    libraries: dict[str, Callable[[int], Prepared]] = {
        OURS: partial(_activation_of_softops, name, shape),
        "torch": partial(_activation_of_torch, name, shape),
    }
    node = ACTIVATIONS[name][2]
    if node:
        libraries["onnxruntime"] = partial(_of_onnxruntime, node, shape, ())
    wrong = partial(_wrong, partial(_activation_of_float64, name, shape))
    return Task(f"{name} {shape}", partial(numbers, shape), libraries, wrong)


# Normalizations ------------------------------------------------------------------------------------------------------


def _layer_of_softops(shape: tuple[int, int], threads: int) -> Prepared:
    numba.set_num_threads(threads)
    out = aligned_empty(shape, FLOAT32)
    function = numba_kernels.layer_norm
    return _given(partial(function, numbers(shape), *factors(shape[1]), epsilon=EPSILON, out=out), out)


def _rms_of_softops(shape: tuple[int, int], threads: int) -> Prepared:
    numba.set_num_threads(threads)
    out, weight = aligned_empty(shape, FLOAT32), factors(shape[1])[0]
    return _given(partial(numba_kernels.rms_norm, numbers(shape), weight, epsilon=EPSILON, out=out), out)


def _layer_of_torch(shape: tuple[int, int], threads: int) -> Prepared:
    torch = torch_on(threads)
    x, weight, bias = map(torch.from_numpy, (numbers(shape), *factors(shape[1])))
    layer_norm: Any = torch.nn.functional.layer_norm
    return _returned(partial(layer_norm, x, shape[1:], weight, bias, EPSILON))


def _rms_of_torch(shape: tuple[int, int], threads: int) -> Prepared:
    torch = torch_on(threads)
    x, weight = map(torch.from_numpy, (numbers(shape), factors(shape[1])[0]))
    rms_norm: Any = torch.nn.functional.rms_norm
    return _returned(partial(rms_norm, x, shape[1:], weight, EPSILON))


def _returned(call: Callable[[], Any]) -> Prepared:
    return Prepared(call, lambda: call().numpy())


def _layer_of_float64(shape: tuple[int, int]) -> Array:
    x, (weight, bias) = numbers(shape).astype(np.float64), factors(shape[1])
    d = x - x.mean(-1, keepdims=True)
    return np.asarray(d / np.sqrt((d * d).mean(-1, keepdims=True) + EPSILON) * weight + bias)


def _rms_of_float64(shape: tuple[int, int]) -> Array:
    x = numbers(shape).astype(np.float64)
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * factors(shape[1])[0])


def _layer(shape: tuple[int, int]) -> Task:
    libraries = {
        OURS: partial(_layer_of_softops, shape),
        "torch": partial(_layer_of_torch, shape),
        "onnxruntime": partial(_of_onnxruntime, "LayerNormalization (x, w, b)", shape, ("w", "b")),
    }
    wrong = partial(_wrong, partial(_layer_of_float64, shape))
    return Task(f"layer_norm {shape}", partial(numbers, shape), libraries, wrong)


def _rms(shape: tuple[int, int]) -> Task:
    libraries = {
        OURS: partial(_rms_of_softops, shape),
        "torch": partial(_rms_of_torch, shape),
        "onnxruntime": partial(_of_onnxruntime, "RMSNormalization (x, w)", shape, ("w",)),
    }
    wrong = partial(_wrong, partial(_rms_of_float64, shape))
    return Task(f"rms_norm {shape}", partial(numbers, shape), libraries, wrong)


TASKS = (
    *(_activation(name, (1048576,)) for name in ACTIVATIONS),
    _activation("gelu", (128, 1024)),
    *map(_layer, ROWS),
    *map(_rms, ROWS),
)
