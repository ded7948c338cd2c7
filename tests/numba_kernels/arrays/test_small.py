"""Small contiguous arrays take a short way from the second call on: the bits and errors of the first call."""

import ml_dtypes
import numpy as np
import pytest

from softops import numba_kernels as kernels


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_later_calls_give_the_bits_of_the_first(name, dtype):
    operator = getattr(kernels, name)
    for shape in ((10,), (3, 5), (2, 40), (2, 1, 17), (1, 2, 2, 9)):
        x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
        wanted = operator(np.repeat(x, 2, axis=-1)[..., ::2])  # not contiguous, so never by the short way
        out = np.full_like(x, 9)
        for _ in range(3):
            assert operator(x).tobytes() == wanted.tobytes()
            assert operator(x).dtype == x.dtype
            assert operator(x, out=out) is out
            assert out.tobytes() == wanted.tobytes()
        memory = np.concatenate([x.ravel(), x.ravel()])
        operator(memory[: x.size].reshape(shape), out=memory[1 : x.size + 1].reshape(shape))
        assert memory[1 : x.size + 1].tobytes() == wanted.tobytes()
        with pytest.raises(ValueError, match=f"^{name} gives"):
            operator(x, out=np.empty((*shape, 1), dtype))
        with pytest.raises(ValueError, match=f"^{name} gives"):
            operator(x, out=np.empty((shape[0] + 1, *shape[1:]), dtype))
        assert operator(x).tobytes() == wanted.tobytes()
