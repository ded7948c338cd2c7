"""Attention of a few and of many queries, and of one against a long cache."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numba
import numpy as np

from softops.numba_kernels import attention, attention_decode

from ..peers.peer import Prepared, returning
from ..results import OURS
from ..workloads import Array
from .libraries import fastest_of, session, softmax_by_hand, torch_on
from .task import AFTER_PRODUCTS, Task


class Heads(NamedTuple):
    """The sizes of one sequence."""

    heads: int
    queries: int
    keys: int
    depth: int
    causal: bool = False

    @property
    def name(self) -> str:
        """As the page has it."""
        if self.queries == 1:
            return f"attention, one query, {self.heads} heads of {self.keys} keys"
        causal = ", causal" if self.causal else ""
        return f"attention (1, {self.heads}, {self.queries}, {self.depth}){causal}"


CASES = (
    Heads(12, 128, 128, 64),
    Heads(8, 1024, 1024, 64),
    Heads(8, 1024, 1024, 64, causal=True),
    Heads(8, 1, 8192, 64),
)
_MODEL = """<ir_version: 11, opset_import: ["" : 23]>
attend (float[b, h, s, d] q, float[b, h, t, d] k, float[b, h, t, d] v) => (float[b, h, s, d] y) {{
    y = Attention <is_causal = {causal}> (q, k, v) }}"""


@cache
def inputs(heads: int, queries: int, keys: int, depth: int) -> tuple[Array, Array, Array]:
    """Queries, keys and values, the same ones for everybody."""
    rng = np.random.default_rng(40)
    shapes = ((1, heads, queries, depth), (1, heads, keys, depth), (1, heads, keys, depth))
    q, k, v = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return q, k, v


def _by_softops(case: Heads, threads: int) -> Prepared:
    numba.set_num_threads(threads)
    q, k, v = inputs(*case[:4])
    if case.queries == 1:
        query = q[:, :, 0]
        return returning(lambda: attention_decode(query, k, v, case.keys), lambda out: out[:, :, None])
    return returning(lambda: attention(q, k, v, is_causal=case.causal), np.asarray)


def _by_numpy(case: Heads, threads: int) -> Prepared:
    del threads
    q, k, v = inputs(*case[:4])
    hidden = (
        np.triu(np.full((case.queries, case.keys), -np.inf, np.float32), 1) if case.causal else np.float32(0)
    )

    def attend() -> Array:
        scores = q @ k.transpose(0, 1, 3, 2) * np.float32(case.depth**-0.5) + hidden
        return np.asarray(softmax_by_hand(scores) @ v)

    return returning(attend, np.asarray)


def _by_torch(case: Heads, threads: int) -> Prepared:
    torch = torch_on(threads)
    tensors = [torch.from_numpy(array) for array in inputs(*case[:4])]
    attend = torch.nn.functional.scaled_dot_product_attention
    return returning(lambda: attend(*tensors, is_causal=case.causal), lambda out: out.numpy())


def _standard(case: Heads, threads: int) -> Prepared:
    """ONNX's operator."""
    import onnx

    run = session(onnx.parser.parse_model(_MODEL.format(causal=int(case.causal))), threads).run
    feeds = dict(zip("qkv", inputs(*case[:4]), strict=True))
    return returning(lambda: run(None, feeds), lambda results: np.asarray(results[0]))


def _contributed(case: Heads, threads: int) -> Prepared:
    """onnxruntime's own operator, heads inside rows."""
    import onnx

    make = onnx.helper
    feeds = {
        name: np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(1, x.shape[2], -1)
        for name, x in zip("qkv", inputs(*case[:4]), strict=True)
    }
    options = {"domain": "com.microsoft", "num_heads": case.heads, "unidirectional": int(case.causal)}
    node = make.make_node("MultiHeadAttention", list("qkv"), ["y"], **options)
    given = [make.make_tensor_value_info(name, 1, x.shape) for name, x in feeds.items()]
    graph = make.make_graph([node], "attend", given, [make.make_tensor_value_info("y", 1, None)])
    domains = [make.make_opsetid("", 17), make.make_opsetid("com.microsoft", 1)]
    model = make.make_model(graph, opset_imports=domains, ir_version=8)
    run = session(model, threads).run

    def heads_beside(results: Any) -> Array:
        return np.asarray(results[0]).reshape(1, case.queries, case.heads, -1).transpose(0, 2, 1, 3)

    return returning(lambda: run(None, feeds), heads_beside)


def _by_onnxruntime(case: Heads, threads: int) -> Prepared:
    """The faster of its two operators for this."""
    both = {way.call: way for way in (prepare(case, threads) for prepare in (_standard, _contributed))}
    return both[fastest_of(both)]


def _exactly(case: Heads) -> Array:
    q, k, v = (x.astype(np.float64) for x in inputs(*case[:4]))
    scores = q @ k.transpose(0, 1, 3, 2) * case.depth**-0.5
    if case.causal:
        scores += np.triu(np.full(scores.shape[2:], -np.inf), 1)
    return np.asarray(softmax_by_hand(scores) @ v)


def _wrong(case: Heads, out: Array) -> str | None:
    error = float(np.abs(out - _exactly(case)).max())
    return None if error <= 1e-5 else f"wrong result: {error:.2g} off"


def _task(case: Heads) -> Task:
    libraries: dict[str, Callable[[int], Prepared]] = {
        OURS: partial(_by_softops, case),
        "torch": partial(_by_torch, case),
        "onnxruntime": partial(_by_onnxruntime, case),
        "NumPy": partial(_by_numpy, case),
    }
    return Task(case.name, lambda: inputs(*case[:4])[0], libraries, partial(_wrong, case), AFTER_PRODUCTS)


TASKS = tuple(_task(case) for case in CASES)
