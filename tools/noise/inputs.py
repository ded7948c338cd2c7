"""Inputs that look like what a model is made for: images, sound, text; each from a seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Maker = Callable[[np.random.Generator], NDArray[Any]]

_WAVES = 6
_INK = 0.85


def image(*shape: int, low: float = -1, high: float = 1, channels_last: bool = False) -> Maker:
    """Return a maker of images: smooth waves and a little noise, between ``low`` and ``high``."""

    def make(random: np.random.Generator) -> NDArray[Any]:
        rows, channels, height, width = (shape[0], shape[3], shape[1], shape[2]) if channels_last else shape
        y, x = np.mgrid[:height, :width] / max(height, width)
        found = 0.1 * random.standard_normal((rows, channels, height, width))
        for _ in range(_WAVES):
            across, down, phase = random.uniform(-12, 12, (3, rows, channels, 1, 1))
            found += np.cos(across * x + down * y + phase)
        found = low + (high - low) * (np.tanh(found / 2) + 1) / 2
        return np.asarray(np.moveaxis(found, 1, -1) if channels_last else found, np.float32)

    return make


def print_like(*shape: int) -> Maker:
    """Return a maker of images of print, from -1 to 1: dark marks of 5 by 7 squares in lines on white."""

    def make(random: np.random.Generator) -> NDArray[Any]:
        rows, channels, height, width = shape
        found = np.full((rows, height, width), 1.0)
        step = max(height // 48, 1) * 3
        for row in found:
            for top in range(step, height - 8 * step + 1, 12 * step):
                for left in range(2 * step, width - 8 * step + 1, 7 * step):
                    if random.random() < _INK:
                        mark = np.kron(random.random((7, 5)) < _INK / 2, np.ones((step, step)))
                        row[top : top + 7 * step, left : left + 5 * step] -= 1.8 * mark
        found = found + 0.02 * random.standard_normal(found.shape)
        return np.asarray(np.repeat(found[:, None], channels, 1), np.float32)

    return make


def sound(*shape: int, axis: int = -1, rate: int = 16000) -> Maker:
    """Return a maker of sound along an axis: tones that swell and fade, and a little noise."""

    def make(random: np.random.Generator) -> NDArray[Any]:
        moved = [length for place, length in enumerate(shape) if place != axis % len(shape)]
        time = np.arange(shape[axis]) / rate
        found = 0.01 * random.standard_normal((*moved, len(time)))
        for _ in range(_WAVES):
            pitch = random.uniform(80, 1500, (*moved, 1))
            swell = np.sin(np.pi * random.uniform(0.5, 5, (*moved, 1)) * time) ** 2
            found += 0.1 * swell * np.sin(2 * np.pi * pitch * time + random.uniform(0, 6, (*moved, 1)))
        return np.asarray(np.moveaxis(found, -1, axis), np.float32)

    return make


def text(rows: int, length: int) -> Maker:
    """Return a maker of octets of text, sources of Python's own library, 256 behind their ends."""

    def make(random: np.random.Generator) -> NDArray[Any]:
        files = sorted(Path(os.__file__).parent.glob("*.py"))
        found = np.full((rows, length), 256, np.int32)
        for row in found:
            content = files[random.integers(len(files))].read_bytes()
            start = random.integers(max(len(content) - length, 1))
            octets = np.frombuffer(content[start : start + length], np.uint8)
            row[: len(octets)] = octets
        return found

    return make


def normal(*shape: int, scale: float = 1) -> Maker:
    """Return a maker of Gaussian numbers."""
    return lambda random: np.asarray(scale * random.standard_normal(shape), np.float32)


def numbers(low: int, high: int, *shape: int, dtype: Any = np.int64) -> Maker:
    """Return a maker of integers from ``low`` to below ``high``."""
    return lambda random: random.integers(low, high, shape).astype(dtype)


def constant(value: Any, dtype: Any, *shape: int) -> Maker:
    """Return a maker of one number everywhere."""
    return lambda random: np.full(shape, value, dtype)


def made(makers: dict[str, Maker], seed: int) -> dict[str, NDArray[Any]]:
    """Return the inputs of a seed by name."""
    random = np.random.default_rng(seed)
    return {name: maker(random) for name, maker in makers.items()}


def rows_of(features: NDArray[Any], name: str, count: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return so many rows of a data set, drawn by the seed."""
    chosen: Sequence[int] = np.random.default_rng(seed).choice(len(features), count, replace=False)
    return {name: features[chosen]}
