"""What the accuracy is measured on: families of rows and numbers, each row with words for where it comes from."""

# ruff: noqa: RUF001 (σ and − stand for what they are)

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from softops.conformance.measure.ulp import largest
from softops.opset import reference

from ..workloads import DTYPES, Array, Inputs

ROW_OPERATORS = ("softmax", "log_softmax", "logsumexp")
ELEMENTWISE = ("sigmoid", "log_sigmoid", "softplus")
OPERATORS = (*ROW_OPERATORS, *ELEMENTWISE, "cross_entropy", "softmax_grad")

LENGTHS = (1, 2, 7, 10, 16, 17, 128, 1000, 4096, 50257, 128256)
SIGMAS = (0.1, 1, 3, 10, 30, 100, 1000)
OFFSETS = (0, 100, -100, 1e4, -1e4, 1e30, -1e30)
GAPS = (1e-7, 1e-5, 1e-3, 0.1, 0.5, 1, 3, 10, 17, 30, 36, 37, 60, 88, 104, 120)
EQUAL = (0, 1, -3.3, 0.35, 100, 1e4, 1e30, -1e30, 1e-30, 300, 4100)


@dataclass(frozen=True)
class Batch:
    """Inputs of one operator, measured at once. `origins` and `sigmas` are those of the rows of the inputs."""

    operator: str
    dtype: str
    inputs: Inputs
    origins: tuple[str, ...]
    sigmas: tuple[float | None, ...]


@dataclass(frozen=True)
class Effort:
    """How much is measured: row lengths, about how many numbers of each length, cases of cross_entropy."""

    lengths: tuple[int, ...] = LENGTHS
    numbers: int = 150_000
    labelled: int = 4096


QUICK = Effort(lengths=LENGTHS[:8], numbers=2000, labelled=64)


def batches(operator: str, dtype: str, effort: Effort, seed: int) -> Iterator[Batch]:
    """All batches of an operator for a dtype."""
    if operator in ELEMENTWISE:
        return _numbers(operator, dtype, effort, seed)
    if operator == "cross_entropy":
        return _labelled(dtype, effort, seed)
    if operator == "softmax_grad":
        return _gradients(dtype, effort, seed)
    return _rows(operator, dtype, effort, seed)


def _inputs(x: Array, dtype: str, labels: Array | None = None) -> Inputs:
    kind = DTYPES[dtype]
    nothing = np.empty(0, kind)
    return Inputs(
        np.ascontiguousarray(x, kind), np.empty(0, np.int64) if labels is None else labels, nothing, nothing
    )


def _fits(value: float, dtype: str) -> bool:
    """Whether a number, and a good deal more, is finite in the dtype."""
    return bool(abs(value) * 4 < largest(DTYPES[dtype]))


def _rows(operator: str, dtype: str, effort: Effort, seed: int) -> Iterator[Batch]:
    for n in effort.lengths:
        random = np.random.default_rng([seed, n])
        long = n > 4096
        kinds = [(s, o) for s in SIGMAS for o in (OFFSETS[:1] if long else OFFSETS) if _fits(o, dtype)]
        kinds *= 1 if long else max(1, min(200, effort.numbers // (n * len(kinds))))
        sigma, offset = np.array(kinds).T[..., None]
        x = random.standard_normal((len(kinds), n)) * sigma + offset
        origins = tuple(f"n = {n}, σ = {s:g}" + (f", offset {o:g}" if o else "") for s, o in kinds)
        yield Batch(operator, dtype, _inputs(x, dtype), origins, tuple(s for s, _ in kinds))
        rows, words = _winners(n, GAPS[::4] if long else GAPS, random) if n > 1 else ([], [])
        if not long:
            rows += [np.full(n, value) for value in EQUAL if _fits(value, dtype)]
            words += [f"n = {n}, all {value:g}" for value in EQUAL if _fits(value, dtype)]
        yield Batch(operator, dtype, _inputs(np.array(rows), dtype), tuple(words), (None,) * len(rows))


def _winners(n: int, gaps: tuple[float, ...], random: np.random.Generator) -> tuple[list[Array], list[str]]:
    """One number ahead of the others by each gap; the others all equal or nearly so."""
    rows, words = [], []
    for gap in gaps:
        for spread in (0.0, 0.1):
            row = random.standard_normal(n) * spread
            row[n // 2] = row.max() + gap
            rows.append(row)
            words.append(f"n = {n}, {'equal ' if not spread else ''}others {gap:g} behind")
    return rows, words


def _numbers(operator: str, dtype: str, effort: Effort, seed: int) -> Iterator[Batch]:
    """Numbers of every size; of the 16-bit types every finite one there is."""
    kind, random = DTYPES[dtype], np.random.default_rng(seed)
    if kind.itemsize == 2:
        every = np.arange(2**16, dtype=np.uint16).view(kind)
        x = every[np.isfinite(every.astype(np.float32))][None]
        yield Batch(operator, dtype, _inputs(x, dtype), ("every finite number",), (None,))
        return
    lowest = float(np.log(np.finfo(kind).smallest_subnormal.astype(np.longdouble))) - 2
    for sigma in SIGMAS:
        x = random.standard_normal((1, effort.numbers)) * sigma
        yield Batch(operator, dtype, _inputs(x, dtype), (f"σ = {sigma:g}",), (sigma,))
    x = random.uniform(lowest, -lowest, (1, effort.numbers))
    x[:, ::2] *= 1e-3
    x[:, ::7] = 2.0 ** (x[:, ::7] / -lowest * 30)
    yield Batch(operator, dtype, _inputs(x, dtype), ("down to underflow",), (None,))


def _labelled(dtype: str, effort: Effort, seed: int) -> Iterator[Batch]:
    """Losses near log n and above, and those of right classes far ahead, which are all small."""
    for n in (2, 10, 128):
        random = np.random.default_rng([seed, n])
        cases: list[tuple[float, float | None]] = [(s, None) for s in SIGMAS] + [
            (3, gap) for gap in GAPS[::3]
        ]
        for sigma, gap in cases:
            x = random.standard_normal((effort.labelled, n)) * sigma
            labels = random.integers(0, n, effort.labelled)
            if gap is not None:
                x[np.arange(len(x)), labels] = x.max(1) + gap
            ahead = "" if gap is None else f", right class {gap:g} ahead"
            origin = f"n = {n}, σ = {sigma:g}{ahead}"
            yield Batch("cross_entropy", dtype, _inputs(x, dtype, labels), (origin,), (sigma,))


def _gradients(dtype: str, effort: Effort, seed: int) -> Iterator[Batch]:
    kind = DTYPES[dtype]
    for n in effort.lengths:
        random = np.random.default_rng([seed, n])
        scales = (1.0,) if n > 4096 else (1e-3, 1.0, 30.0)
        rows = max(1, min(200, effort.numbers // (3 * n)))
        for scale in scales:
            y = reference.softmax(random.standard_normal((rows, n)) * 3 * scale, dtype=kind)
            dy = (random.standard_normal((rows, n)) * scale).astype(kind)
            inputs = Inputs(y, np.empty(0, np.int64), dy, y)
            origin = f"n = {n}, σ = {3 * scale:g}, gradients of {scale:g}"
            yield Batch("softmax_grad", dtype, inputs, (origin,) * rows, (3 * scale,) * rows)
