"""What is timed: operators on arrays of given shape, axis, dtype and spread."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import ml_dtypes  # registers bfloat16 with NumPy
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
ALIGNMENT = 64


@dataclass(frozen=True)
class Workload:
    """One operator on one kind of array. Logits are normal with standard deviation `sigma`.

    `in_place`: each call writes its result over its input, so that the next call works on that.
    """

    operator: str
    shape: tuple[int, ...]
    axis: int = -1
    dtype: str = "float32"
    sigma: float = 3.0
    in_place: bool = False

    @property
    def name(self) -> str:
        """For tables, and what a pattern is matched against."""
        axis = "" if self.axis == -1 else f" axis {self.axis}"
        sigma = "" if self.sigma == 3.0 else f" sigma={self.sigma:g}"
        return f"{self.operator} {self.shape}{axis} {self.dtype}{sigma}{' in place' if self.in_place else ''}"

    @property
    def positive_axis(self) -> int:
        """The axis counted from the front."""
        return self.axis % len(self.shape)

    @property
    def rows_shape(self) -> tuple[int, ...]:
        """The shape without the axis: that of a logsumexp, or of labels."""
        return self.shape[: self.positive_axis] + self.shape[self.positive_axis + 1 :]

    @property
    def input_bytes(self) -> int:
        """The size of the logits."""
        return prod(self.shape) * DTYPES[self.dtype].itemsize

    @property
    def least_bytes(self) -> int:
        """What any implementation must read and write: each input once, each output once."""
        rows = prod(self.rows_shape)
        match self.operator:
            case "logsumexp":
                return self.input_bytes + rows * DTYPES[self.dtype].itemsize
            case "cross_entropy":
                return self.input_bytes + rows * 8
            case "softmax_grad":
                return 3 * self.input_bytes
        return 2 * self.input_bytes


@dataclass(frozen=True)
class Inputs:
    """The arrays of a workload, the same ones for everybody."""

    x: Array
    labels: Array  # int64, for cross_entropy
    dy: Array  # for softmax_grad, beside y = softmax(x)
    y: Array


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array that starts at a multiple of 64 bytes: chance does not give one library a better address."""
    size = prod(shape) * dtype.itemsize
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -int(buffer.__array_interface__["data"][0]) % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def aligned_copy(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values in memory of their own that starts at a multiple of 64 bytes."""
    result = aligned_empty(values.shape, dtype)
    result[...] = values
    return result


def place(workload: Workload, x: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """An input and memory for a result of that shape; in place both are one array of the library's own."""
    if not workload.in_place:
        return x, aligned_empty(shape, x.dtype)
    both = aligned_copy(x, x.dtype)
    return both, both


def inputs(workload: Workload) -> Inputs:
    """Arrays for a workload, from a fixed seed."""
    random = np.random.default_rng(20)
    dtype = DTYPES[workload.dtype]
    x = aligned_copy(workload.sigma * random.standard_normal(workload.shape, np.float32), dtype)
    nothing = np.empty(0, dtype)
    labels, dy, y = np.empty(0, np.int64), nothing, nothing
    if workload.operator == "cross_entropy":
        labels = random.integers(0, workload.shape[workload.axis], workload.rows_shape)
    if workload.operator == "softmax_grad":
        dy = aligned_copy(random.standard_normal(workload.shape, np.float32), dtype)
        e = np.exp(x.astype(np.float64) - np.max(x, workload.axis, keepdims=True).astype(np.float64))
        y = aligned_copy(e / e.sum(workload.axis, keepdims=True), dtype)
    return Inputs(x, labels, dy, y)


FAMILY = ("softmax", "log_softmax", "hardmax")
SHAPES: tuple[tuple[tuple[int, ...], int], ...] = (
    ((1, 10), -1),
    ((100000, 10), -1),
    ((64, 1000), -1),
    ((4096, 1000), -1),
    ((1, 128256), -1),
    ((256, 50257), -1),
    ((24576, 128), -1),
    ((4096, 4096), -1),
    ((1, 21, 512, 512), 1),
    ((1000, 4096), 0),
    # one row; a few steps of decoding, and a batch of them; long rows under short axes; features over places
    ((1, 1000), -1),
    ((8, 32000), -1),
    ((32, 151936), -1),
    ((1, 2, 3, 40000), -1),
    ((8, 1000, 49), 1),
)
SHAPES_OF_OTHER_DTYPES = ((64, 1000), (4096, 1000), (24576, 128))
HALVES_OF_A_VOCABULARY = (256, 50257)


def _family() -> Iterable[Workload]:
    for operator in FAMILY:
        for shape, axis in SHAPES:
            yield Workload(operator, shape, axis)
        yield Workload(operator, (4096, 4096), sigma=100.0)
        for dtype in ("float64", "float16", "bfloat16"):
            for shape in SHAPES_OF_OTHER_DTYPES:
                yield Workload(operator, shape, dtype=dtype)
        for dtype in ("float16", "bfloat16"):
            yield Workload(operator, HALVES_OF_A_VOCABULARY, dtype=dtype)


WORKLOADS: tuple[Workload, ...] = (
    *_family(),
    Workload("softmax", (64, 1000), in_place=True),
    Workload("softmax", (4096, 1000), in_place=True),
    Workload("sigmoid", (65536,)),
    Workload("sigmoid", (4194304,)),
    Workload("logsumexp", (4096, 1000)),
    Workload("logsumexp", (512, 50257)),
    Workload("cross_entropy", (4096, 1000)),
    Workload("cross_entropy", (512, 50257)),
    Workload("softmax_grad", (4096, 1000)),
)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns (parts of the name, ``*`` and ``?`` as in file names) is in `name`; none: all."""
    wanted = [pattern.casefold() for pattern in patterns]
    return not wanted or any(fnmatchcase(name.casefold(), f"*{pattern}*") for pattern in wanted)
