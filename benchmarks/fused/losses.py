"""Losses: of a linear layer over the vocabulary of a language model, with its gradients; and of scores."""

from functools import cache
from typing import Any

import numba
import numpy as np

from softops.numba_kernels import (
    binary_cross_entropy,
    cross_entropy,
    linear_cross_entropy,
    linear_cross_entropy_grad,
)

from ..peers.peer import Prepared, returning
from ..results import OURS
from ..workloads import Array, aligned_copy
from .libraries import fastest_of, session, torch_on
from .task import AFTER_PRODUCTS, Task

ROWS, FEATURES, CLASSES = 512, 512, 50257
SCORES, SMOOTHING = (4096, 1000), 0.1
# So many rows, and classes, of the gradients are compared.
_SOME = 8


@cache
def arrays() -> tuple[Array, Array, Array]:
    """x, weight and labels, the same ones for everybody; scores have a standard deviation of about 1."""
    random = np.random.default_rng(20)
    single = np.dtype(np.float32)
    x = aligned_copy(random.standard_normal((ROWS, FEATURES), np.float32), single)
    weight = random.standard_normal((CLASSES, FEATURES), np.float32) / np.sqrt(np.float32(FEATURES))
    return x, aligned_copy(weight, single), random.integers(0, CLASSES, ROWS)


@cache
def _exact() -> tuple[float, Array, Array]:
    """The mean loss, some rows of dx and some of dweight, in float64."""
    x, weight, labels = arrays()
    scores = x.astype(np.float64) @ weight.T.astype(np.float64)
    d = scores - scores.max(-1, keepdims=True)
    logs = d - np.log(np.exp(d).sum(-1, keepdims=True))
    rows = np.arange(ROWS)
    loss = float(-logs[rows, labels].mean())
    p = np.exp(logs)
    p[rows, labels] -= 1
    return loss, p[:_SOME] @ weight / ROWS, p[:, :_SOME].T @ x / ROWS


def _wrong_loss(loss: Any) -> str | None:
    return _wrong_number(loss, _exact()[0])


def _wrong_step(found: Any) -> str | None:
    loss, dx, dweight = found[:3]
    if wrong := _wrong_loss(loss):
        return wrong
    for name, part, expected in (("dx", dx, _exact()[1]), ("dweight", dweight, _exact()[2])):
        error = float(np.max(np.abs(part[:_SOME] - expected)) / np.abs(expected).max())
        if not error <= 1e-4:
            return f"wrong result: {name} is off by {error:.2g} of its largest number"
    return None


def _loss_of_softops(threads: int) -> Prepared:
    numba.set_num_threads(threads)
    return returning(lambda: linear_cross_entropy(*arrays()), np.asarray)


def _step_of_softops(threads: int) -> Prepared:
    numba.set_num_threads(threads)
    return returning(lambda: linear_cross_entropy_grad(*arrays(), return_loss=True), list)  # type: ignore[arg-type]


def _torch_losses(threads: int) -> tuple[Any, list[Any], list[Any]]:
    """torch, its leaves, and its ways to the loss: from the scores, and where it has it without them."""
    torch = torch_on(threads)
    functional = torch.nn.functional
    x, weight, labels = (torch.from_numpy(array) for array in arrays())
    leaves = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
    ways = [lambda: functional.cross_entropy(functional.linear(*leaves), labels)]
    if hasattr(functional, "linear_cross_entropy"):
        ways.append(lambda: functional.linear_cross_entropy(*leaves, labels))
    return torch, leaves, ways


def _loss_of_torch(threads: int) -> Prepared:
    torch, _, ways = _torch_losses(threads)

    def without_gradients(way: Any) -> Any:
        def call() -> Any:
            with torch.no_grad():
                return way()

        return call

    return returning(fastest_of([without_gradients(way) for way in ways]), lambda loss: loss.numpy())


def _step_of_torch(threads: int) -> Prepared:
    torch, leaves, ways = _torch_losses(threads)

    def with_gradients(way: Any) -> Any:
        def call() -> Any:
            for leaf in leaves:
                leaf.grad = None
            with torch.enable_grad():
                loss = way()
                loss.backward()
            return [loss.detach(), *(leaf.grad for leaf in leaves)]

        return call

    return returning(
        fastest_of([with_gradients(way) for way in ways]),
        lambda found: [part.numpy() for part in found],  # type: ignore[arg-type, return-value]
    )


def _of_onnxruntime(threads: int, outputs: list[str]) -> Prepared:
    import onnx

    from softops.export import linear_loss

    if outputs == ["loss"]:
        model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
            loss (float[n, f] x, float[c, f] weight, int64[n] labels) => (float loss)
            { scores = Gemm <transB = 1> (x, weight)  loss = SoftmaxCrossEntropyLoss (scores, labels) }""")
    else:
        model = linear_loss(CLASSES, FEATURES, bias=False, outputs=outputs)
    run = session(model, threads).run
    feeds = dict(zip(("x", "weight", "labels"), arrays(), strict=True))
    found = list if len(outputs) > 1 else np.asarray
    return returning(lambda: run(None, feeds)[slice(None) if len(outputs) > 1 else 0], found)  # type: ignore[arg-type]


# Losses of scores ----------------------------------------------------------------------------------------------------


@cache
def _scores() -> tuple[Array, Array, Array]:
    """Scores, a label for each row, and for each score whether its class is right."""
    random = np.random.default_rng(21)
    x = aligned_copy(3 * random.standard_normal(SCORES, np.float32), np.dtype(np.float32))
    right = aligned_copy((random.random(SCORES, np.float32) < 0.1).astype(np.float32), np.dtype(np.float32))
    return x, random.integers(0, SCORES[1], SCORES[0]), right


def _smoothed_of_softops(threads: int) -> Prepared:
    numba.set_num_threads(threads)
    x, labels, _ = _scores()
    return returning(lambda: cross_entropy(x, labels, label_smoothing=SMOOTHING), np.asarray)


def _smoothed_of_torch(threads: int) -> Prepared:
    torch = torch_on(threads)
    x, labels, _ = map(torch.from_numpy, _scores())
    loss = torch.nn.functional.cross_entropy
    return returning(lambda: loss(x, labels, label_smoothing=SMOOTHING), lambda found: found.numpy())


def _binary_of_softops(threads: int) -> Prepared:
    numba.set_num_threads(threads)
    x, _, right = _scores()
    return returning(lambda: binary_cross_entropy(x, right), np.asarray)


def _binary_of_torch(threads: int) -> Prepared:
    torch = torch_on(threads)
    x, _, right = map(torch.from_numpy, _scores())
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return returning(lambda: loss(x, right), lambda found: found.numpy())


def _wrong_smoothed(loss: Any) -> str | None:
    x, labels, _ = _scores()
    d = x.astype(np.float64) - x.max(-1, keepdims=True)
    logs = d - np.log(np.exp(d).sum(-1, keepdims=True))
    right = (1 - SMOOTHING) * logs[np.arange(len(x)), labels] + SMOOTHING * logs.mean(-1)
    return _wrong_number(loss, -right.mean())


def _wrong_binary(loss: Any) -> str | None:
    x, _, right = (array.astype(np.float64) for array in _scores())
    return _wrong_number(loss, np.mean(np.logaddexp(0, x) - x * right))


def _wrong_number(loss: Any, expected: Any) -> str | None:
    error = abs(float(loss) / float(expected) - 1)
    return None if error <= 1e-5 else f"wrong result: relative error {error:.2g}"


_SHAPES = f"({ROWS}, {FEATURES}) to {CLASSES}"
TASKS = (
    Task(
        f"linear_cross_entropy {_SHAPES}",
        lambda: arrays()[1],
        {
            OURS: _loss_of_softops,
            "torch": _loss_of_torch,
            "onnxruntime": lambda threads: _of_onnxruntime(threads, ["loss"]),
        },
        _wrong_loss,
        AFTER_PRODUCTS,
    ),
    Task(
        f"linear_cross_entropy with gradients {_SHAPES}",
        lambda: arrays()[1],
        {
            OURS: _step_of_softops,
            "torch": _step_of_torch,
            "onnxruntime": lambda threads: _of_onnxruntime(threads, ["loss", "dx", "dweight"]),
        },
        _wrong_step,
        AFTER_PRODUCTS,
    ),
    Task(
        f"cross_entropy smoothed {SCORES}",
        lambda: _scores()[0],
        {OURS: _smoothed_of_softops, "torch": _smoothed_of_torch},
        _wrong_smoothed,
    ),
    Task(
        f"binary_cross_entropy {SCORES}",
        lambda: _scores()[0],
        {OURS: _binary_of_softops, "torch": _binary_of_torch},
        _wrong_binary,
    ),
)
