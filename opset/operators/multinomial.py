"""Multinomial: samples of a softmax, from a stream of random numbers that the seed stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..oracle import decisions
from .row import Attributes, Implementation, Inputs, Operator, Outputs, numba_kernel
from .signature import INDICES, Attribute, Parameter, floats

_DTYPES = {6: np.int32, 7: np.int64}
_softmax = numba_kernel("softmax")


def _by(classes_of: Callable[[NDArray[Any], NDArray[np.float64]], NDArray[np.int64]]) -> Implementation:
    """Make an operator of ``classes_of(x, random numbers)``."""

    def run(row: Operator, inputs: Inputs, attributes: Attributes, outputs: int) -> Outputs:
        x, dtype, count = inputs[0], attributes["dtype"], attributes["sample_size"]
        _check(row.name, x, dtype, count)
        numbers = _uniform(attributes["seed"], (x.shape[0], count))
        return (classes_of(x, numbers).astype(_DTYPES[dtype], copy=False),)

    return run


def _uniform(seed: float | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """
    Draw numbers from [0, 1): the same for the same seed, on every machine and in every run.

    They are those of `numpy.random.PCG64`, seeded with the bits of ``seed`` as a float32, which is how ONNX
    keeps it. None draws others each time.
    """
    with np.errstate(over="ignore"):
        bits = None if seed is None else int(np.float32(seed).view(np.uint32))
    return np.random.Generator(np.random.PCG64(bits)).random(shape)


def _check(name: str, x: NDArray[Any], dtype: int, sample_size: int) -> None:
    """Refuse what no sample can be drawn from."""
    if x.ndim != 2 or not x.shape[1]:
        message = (
            f"{name} expected an input of shape (batch, classes), classes > 0 (got {x.shape}); reshape it"
        )
        raise ValueError(message)
    if dtype not in _DTYPES:
        message = f"{name} expected a dtype of 6 (int32) or 7 (int64) (got {dtype}); choose one of these"
        raise ValueError(message)
    if sample_size < 1:
        message = f"{name} expected a sample_size of 1 or more (got {sample_size}); draw at least once"
        raise ValueError(message)
    largest = x.astype(np.float64).max(1)
    if not np.isfinite(largest).all():
        at = int(np.argmin(np.isfinite(largest)))
        message = (
            f"{name} expected log-probabilities below +inf, at least one of them finite in each row "
            f"(got {largest[at]} as the largest of row {at}); correct the logits"
        )
        raise ValueError(message)


def _kernel(x: NDArray[Any], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cumulated probabilities in float64, searched for each random number."""
    samples = np.empty(numbers.shape, np.int64)
    for sample, number, probability in zip(samples, numbers, _softmax(x.astype(np.float64), 1), strict=True):
        cumulated = np.cumsum(probability)
        found = np.searchsorted(cumulated, number * cumulated[-1], side="right")
        # where the product rounds up to the sum
        sample[:] = np.minimum(found, np.flatnonzero(probability)[-1])
    return samples


def _row(since_version: int) -> Operator:
    return Operator(
        op_type="Multinomial",
        since_version=since_version,
        axis_rule="single",
        default_axis=1,
        types={"T1": floats(since_version >= 22), "T2": INDICES},
        inputs=(Parameter("input", "T1"),),
        outputs=(Parameter("output", "T2"),),
        attributes={
            "dtype": Attribute("int", 6),
            "sample_size": Attribute("int", 1),
            "seed": Attribute("float"),
        },
        kernel=_by(_kernel),
        reference=_by(decisions.multinomial),
        notes=(
            "ONNX names no generator: the numbers are numpy.random.PCG64's, seeded with the bits of the seed as a "
            "float32. A seed gives the same samples in every run; onnxruntime goes on in its stream from run to run.",
            "The probabilities are the softmax of a row; a class at -inf is never drawn, and a row without a "
            "finite number, or with a NaN or +inf, is an error.",
        ),
    )


ROWS: tuple[Operator, ...] = (_row(7), _row(22))
