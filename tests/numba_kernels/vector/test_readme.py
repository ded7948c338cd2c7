"""The examples of vector/README.md run as written and compute what they say."""

import re
from pathlib import Path

import numba
import numpy as np
import pytest

from softops.numba_kernels import vector

README = (Path(vector.__file__).parent / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def page():
    names = {}
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(code, "README.md", "exec"), names)
    return names


def test_doubling(page):
    np.testing.assert_array_equal(page["y"], 2 * page["x"])


@pytest.mark.parametrize("n", [0, 1, 15, 16, 37])
def test_doubling_what_is_left_over(page, n):
    doubled = page["doubled_whole"]

    @numba.njit
    def double(dst, src, n):
        doubled(np.float64(0), dst, src, n)

    x = np.arange(n + 1, dtype=np.float64)
    y = np.full(n + 1, -1.0)
    double(y.ctypes.data, x.ctypes.data, n)
    np.testing.assert_array_equal(y, [*(2 * x[:n]), -1])


def test_the_first_above(page):
    first_above = page["first_above"]

    @numba.njit
    def first(src, n, limit):
        return first_above(np.float32(0), src, n, np.float32(limit))

    x = np.arange(64, dtype=np.float32)
    assert [first(x.ctypes.data, 64, limit) for limit in (-1, 20, 62, 63)] == [0, 1, 3, 4]


def test_softmax(page):
    x = np.random.default_rng(0).normal(scale=30, size=(5, 48)).astype(np.float32)
    p = np.empty_like(x)
    page["softmax"](p.ctypes.data, x.ctypes.data, 5, 48)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(p, e / e.sum(1, keepdims=True), rtol=1e-5, atol=1e-30)


def test_code_can_be_looked_at(page):
    assert "<16 x float>" in page["ir"]
    assert re.search(r"[xyz]mm\d", page["assembly"]) or "aarch64" in page["ir"]
