"""What every area asks of the libraries: sessions, threads, the faster of several ways, NumPy as people write it."""

import timeit
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..workloads import Array


def torch_on(threads: int) -> Any:
    """torch with so many threads, recording nothing for gradients."""
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch


def session(model: Any, threads: int) -> Any:
    """An onnxruntime session over a model, on the CPU, that says nothing but errors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def softmax_by_hand(scores: Array) -> Array:
    """Softmax along the last axis as people write it with NumPy."""
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def fastest_of(calls: Iterable[Callable[[], Any]]) -> Callable[[], Any]:
    """The one that takes least, of the second time on."""

    def seconds(call: Callable[[], Any]) -> float:
        call()
        return min(timeit.repeat(call, number=1, repeat=4))

    return min(calls, key=seconds)
