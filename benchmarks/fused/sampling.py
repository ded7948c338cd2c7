"""The best classes, and classes drawn at random, over the vocabulary of a language model."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numba
import numpy as np

from softops.numba_kernels import sample, topk

from ..peers.peer import Prepared, returning
from ..results import OURS
from ..workloads import Array, aligned_copy
from .libraries import session, softmax_by_hand, torch_on
from .task import Task

SHAPE, K, TOP_P = (64, 50257), 5, 0.9

_MODEL = """<ir_version: 8, opset_import: ["" : 17]>
best (float[n, v] x, int64[1] k) => (float[n, m] y, int64[n, m] i) { p = Softmax (x)  y, i = TopK (p, k) }"""


@cache
def logits() -> Array:
    """Normal with standard deviation 3, the same ones for everybody."""
    return aligned_copy(
        3 * np.random.default_rng(20).standard_normal(SHAPE, np.float32), np.dtype(np.float32)
    )


@cache
def _probabilities() -> Array:
    return softmax_by_hand(logits().astype(np.float64))


# The best classes ----------------------------------------------------------------------------------------------------


def _best_of_softops(threads: int) -> Prepared:
    numba.set_num_threads(threads)
    return returning(lambda: topk(logits(), K, probabilities=True), list)


def _best_of_onnxruntime(threads: int) -> Prepared:
    import onnx

    run = session(onnx.parser.parse_model(_MODEL), threads).run
    feeds = {"x": logits(), "k": np.array([K])}
    return returning(lambda: run(None, feeds), list)


def _best_of_torch(threads: int) -> Prepared:
    torch, x = _torch(threads)
    return returning(
        lambda: torch.topk(torch.softmax(x, -1), K), lambda best: [each.numpy() for each in best]
    )


def _best_of_numpy(threads: int) -> Prepared:
    del threads
    x = logits()

    def best() -> tuple[Array, Array]:
        p = softmax_by_hand(x)
        some = np.argpartition(p, -K, -1)[:, -K:]
        values = np.take_along_axis(p, some, -1)
        order = np.argsort(-values, -1)
        return np.take_along_axis(values, order, -1), np.take_along_axis(some, order, -1)

    return returning(best, lambda result: list(result))  # type: ignore[arg-type, return-value]


def _wrong_best(result: Any) -> str | None:
    values, indices = result
    expected = np.argsort(-logits(), -1, kind="stable")[:, :K]
    if not np.array_equal(indices, expected):
        return "wrong result: other indices"
    error = float(np.max(np.abs(values / np.take_along_axis(_probabilities(), expected, -1) - 1)))
    return None if error <= 1e-3 else f"wrong result: relative error {error:.2g}"


# Draws ---------------------------------------------------------------------------------------------------------------


def _drawn_by_softops(top_p: float | None, threads: int) -> Prepared:
    numba.set_num_threads(threads)
    return returning(lambda: sample(logits(), top_p=top_p, seed=1), lambda drawn: drawn[:, 0])


def _torch(threads: int) -> tuple[Any, Any]:
    torch = torch_on(threads)
    torch.manual_seed(1)
    return torch, torch.from_numpy(logits())


def _drawn_by_torch(top_p: float | None, threads: int) -> Prepared:
    torch, x = _torch(threads)

    def plain() -> Any:
        return torch.multinomial(torch.softmax(x, -1), 1)

    def filtered() -> Any:
        values, indices = torch.sort(x, descending=True)
        p = torch.softmax(values, -1)
        p[torch.cumsum(p, -1) - p >= top_p] = 0
        return torch.gather(indices, -1, torch.multinomial(p, 1))

    return returning(plain if top_p is None else filtered, lambda drawn: drawn.numpy()[:, 0])


def _drawn_by_numpy(top_p: float | None, threads: int) -> Prepared:
    del threads
    x, random = logits(), np.random.default_rng(1)

    def plain() -> Array:
        return np.asarray((softmax_by_hand(x).cumsum(-1) > random.random((len(x), 1))).argmax(-1))

    def filtered() -> Array:
        order = np.argsort(-x, -1)
        p = softmax_by_hand(np.take_along_axis(x, order, -1))
        sums = p.cumsum(-1)
        p[sums - p >= top_p] = 0
        sums = p.cumsum(-1)
        place = (sums > random.random((len(x), 1)) * sums[:, -1:]).argmax(-1)
        return np.take_along_axis(order, place[:, None], -1)[:, 0]

    return returning(plain if top_p is None else filtered, np.asarray)


def _wrong_draw(top_p: float | None, drawn: Array) -> str | None:
    """A draw may be any; none may be outside of what is left."""
    x = logits()
    own = np.take_along_axis(_probabilities(), drawn[:, None], -1)
    before = np.where(_probabilities() > own, _probabilities(), 0).sum(-1)
    wrong = int((before >= (1 if top_p is None else top_p + 1e-4)).sum()) if len(drawn) == len(x) else len(x)
    return f"wrong result: {wrong} of {len(x)} draws outside of what is left" if wrong else None


def _draws(name: str, top_p: float | None) -> Task:
    libraries: dict[str, Callable[[int], Prepared]] = {
        OURS: partial(_drawn_by_softops, top_p),
        "torch": partial(_drawn_by_torch, top_p),
        "NumPy": partial(_drawn_by_numpy, top_p),
    }
    return Task(name, logits, libraries, partial(_wrong_draw, top_p))


_BEST = {
    OURS: _best_of_softops,
    "torch": _best_of_torch,
    "onnxruntime": _best_of_onnxruntime,
    "NumPy": _best_of_numpy,
}
TASKS = (
    Task(f"softmax and top {K} of {SHAPE}", logits, _BEST, _wrong_best),
    _draws(f"sample {SHAPE}", None),
    _draws(f"sample {SHAPE} top_p={TOP_P}", TOP_P),
)
