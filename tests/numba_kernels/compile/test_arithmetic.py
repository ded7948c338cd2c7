"""What is set in a thread does not show in results: NumPy's error state, flushed subnormals, another rounding."""

import ctypes
import platform
import sys

import ml_dtypes
import numba
import numpy as np
import pytest

from softops import numba_kernels as kernels

INF, NAN = np.inf, np.nan
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
ROWS = [
    [0, 17, 0],
    [0, -100, 3],
    [-3e4, 3e4, 0],
    [NAN, 0, 1],
    [INF, 0, -INF],
    [-INF, -INF, -INF],
    [1e-7, 6e-8, -1e-7],
]
LABELS = [1, 0, 2, 0, 1, 1, -1]
WEIGHT = [1e-7, 6e4, 0.0]


def every_call(x):
    """(name, call) of every operator, on whatever can overflow, underflow or be undefined."""
    mask = np.asarray(x, np.float64) > 0
    positive, labels, weight = np.abs(x), np.array(LABELS), np.array(WEIGHT, x.dtype)
    for name in ("softmax", "log_softmax", "hardmax", "sparsemax", "entmax15", "logsumexp", "softmax_stats"):
        for axis in (0, 1, None):
            yield f"{name} along {axis}", lambda f=name, a=axis: getattr(kernels, f)(x, a)
    for name in ("sigmoid", "log_sigmoid", "softplus"):
        yield name, lambda f=name: getattr(kernels, f)(x)
    for name in ("softmax_grad", "log_softmax_grad", "sigmoid_grad"):
        yield name, lambda f=name: getattr(kernels, f)(x, positive)
    for name in ("softmax", "log_softmax"):
        for t in (1e-300, 0.01, 1e300):
            yield f"{name} at {t}", lambda f=name, t=t: getattr(kernels, f)(x, temperature=t)
        yield f"{name} with a mask", lambda f=name: getattr(kernels, f)(x, where=mask)
    for name in ("cross_entropy", "cross_entropy_grad", "nll_loss"):
        for reduction in ("none", "mean", "sum"):
            options = {"reduction": reduction, "ignore_index": -1}
            yield f"{name} {reduction}", lambda f=name, o=options: getattr(kernels, f)(x, labels, **o)
            yield (
                f"{name} {reduction} weighted",
                lambda f=name, o=options: getattr(kernels, f)(x, labels, weight=weight, **o),
            )
    b = [[1e300, -1e300, 0]]
    yield "logsumexp with weights", lambda: kernels.logsumexp(x, b=b, return_sign=True)
    yield "logsumexp with a mask", lambda: kernels.logsumexp(x, where=mask, return_sign=True)
    yield "merge_stats", lambda: kernels.merge_stats(kernels.softmax_stats(x), kernels.softmax_stats(-x))


def as_bits(result):
    parts = result if isinstance(result, tuple) else (result,)
    return [(np.asarray(part).dtype.name, np.asarray(part).tobytes()) for part in parts]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_errors_of_numpy_are_not_consulted(dtype):
    with np.errstate(all="ignore"):
        x = np.array(ROWS).astype(dtype)
    calls = dict(every_call(x))
    expected = {name: as_bits(call()) for name, call in calls.items()}
    with np.errstate(all="raise"):
        for name, call in calls.items():
            before = np.geterr()
            assert as_bits(call()) == expected[name], name
            assert np.geterr() == before


needs_mxcsr = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or sys.platform != "linux",
    reason="the control word is set by glibc's functions for x86-64",
)
# flush to zero and denormals are zero; round downwards; all of it, towards zero
WORDS = [0x8040, 0x2000, 0xE040]


class ControlWord:
    """The thread's MXCSR, by way of fegetenv and fesetenv: the last word of glibc's fenv_t."""

    def __init__(self):
        self._libm = ctypes.CDLL("libm.so.6")
        self._state = (ctypes.c_uint32 * 8)()

    @property
    def value(self):
        assert self._libm.fegetenv(self._state) == 0
        return self._state[7]

    @value.setter
    def value(self, word):
        assert self._libm.fegetenv(self._state) == 0
        self._state[7] = word
        assert self._libm.fesetenv(self._state) == 0


@needs_mxcsr
@pytest.mark.parametrize("word", WORDS, ids=hex)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: np.dtype(dtype).name)
def test_the_control_word_does_not_show(dtype, word):
    """Small arrays and large ones, which several threads share; results that are subnormal among them."""
    control, random = ControlWord(), np.random.default_rng(0)
    default = control.value & 0xFFC0
    small = np.array([[0, -95, -101], [0, -88, 2], [-720, 0, -740]], dtype)
    large = (random.standard_normal((300, 333)) * (200 if dtype == np.float64 else 40)).astype(dtype)
    names = [
        "softmax",
        "log_softmax",
        "sigmoid",
        "softplus",
        "log_sigmoid",
        "entmax15",
        "sparsemax",
        "logsumexp",
    ]
    names += ["softmax_stats"]
    calls = {(n, x.shape): lambda n=n, x=x: getattr(kernels, n)(x) for n in names for x in (small, large)}
    calls |= {(n, "columns"): lambda n=n: getattr(kernels, n)(large, 0) for n in ("softmax", "log_softmax")}
    for name in ("softmax_grad", "log_softmax_grad", "sigmoid_grad"):
        calls[name] = lambda n=name: getattr(kernels, n)(large, kernels.softmax(large))
    labels = np.array([0, 2, 1])
    calls["cross_entropy of small"] = lambda: kernels.cross_entropy(small, labels, reduction="none")
    for name in ("cross_entropy", "nll_loss", "cross_entropy_grad"):
        for how in ("none", "mean"):
            options = {"reduction": how, "weight": np.full(333, 1e-5)}
            wanted = (large[:, 0] > 0).astype(int)
            calls[name, how] = lambda n=name, o=options, w=wanted: getattr(kernels, n)(large, w, **o)
    calls["weighted"] = lambda: kernels.logsumexp(large, b=-1.5, return_sign=True)
    calls["merge"] = lambda: kernels.merge_stats(kernels.softmax_stats(small), kernels.softmax_stats(-small))
    expected = {name: as_bits(call()) for name, call in calls.items()}
    actual, words = {}, set()
    control.value = default | word
    try:
        flushed = float(dtype(np.finfo(dtype).smallest_normal) * dtype(0.5))
        for name, call in calls.items():
            actual[name] = as_bits(call())
            words.add(control.value & 0xFFC0)
    finally:
        control.value = default
    assert [name for name in calls if actual[name] != expected[name]] == []
    assert words == {default | word}
    assert word & 0x8000 == 0 or flushed == 0, "the word has its effect"


@numba.njit
def jitted(x):
    return kernels.sigmoid(x)


@needs_mxcsr
def test_the_control_word_does_not_show_in_jitted_code_of_a_user():
    x = np.linspace(-104, 0, 999, dtype=np.float32)
    expected, control = jitted(x), ControlWord()
    default = control.value & 0xFFC0
    control.value = default | 0x8040
    try:
        actual = jitted(x)
    finally:
        control.value = default
    np.testing.assert_array_equal(actual, expected)
    assert ((expected > 0) & (expected < np.finfo(np.float32).smallest_normal)).any()


COMPILED_UNDER = """
import ctypes, hashlib
import numpy as np
from softops import numba_kernels as kernels

libm = ctypes.CDLL("libm.so.6")
x = np.random.default_rng(0).standard_normal((300, 333)) * 200
labels, weight = (x[:, 0] > 0).astype(int), np.full(333, 1e-5)
assert libm.fesetround(ROUNDING) == 0
gradient = kernels.cross_entropy_grad(x, labels, weight=weight)
assert libm.fegetround() == ROUNDING
print(hashlib.sha256(gradient.tobytes()).hexdigest())
"""


@needs_mxcsr
def test_a_kernel_is_compiled_as_by_default(run_python, tmp_path):
    """Its constants are computed in Python, in the thread that calls it first, and kept on disk for all."""
    nearest, down = (COMPILED_UNDER.replace("ROUNDING", word) for word in ("0", "0x400"))
    expected = run_python(nearest, NUMBA_CACHE_DIR=tmp_path / "nearest")
    assert run_python(down, NUMBA_CACHE_DIR=tmp_path / "down") == expected
    assert run_python(nearest, NUMBA_CACHE_DIR=tmp_path / "down") == expected
