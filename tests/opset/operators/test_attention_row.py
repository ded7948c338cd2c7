"""Attention as the table has it: every version, every output."""

import ml_dtypes
import numpy as np
import pytest

from softops.opset import operator

RANDOM = np.random.default_rng(2)
Q, K, V = (RANDOM.standard_normal((2, 4, 3, 8)).astype(np.float32) for _ in range(3))


@pytest.mark.parametrize("version", [23, 24, 25])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4])
def test_runs_the_version_asked_for(version, outputs):
    given = {"is_causal": 1, "softcap": 2.0}
    row = operator("Attention", version)
    computed = row.run([Q, K, V], given, outputs=outputs)
    rounded = row.evaluate([Q, K, V], given, outputs=outputs)
    unrounded = row.evaluate([Q, K, V], given, outputs=outputs, rounded=False)
    assert len(computed) == len(rounded) == len(unrounded) == outputs
    for ours, once, exact in zip(computed, rounded, unrounded, strict=True):
        np.testing.assert_allclose(ours, exact.astype(np.float64), rtol=0, atol=1e-5)
        np.testing.assert_array_equal(once, exact.astype(np.float32))


def test_each_output_has_the_dtype_of_its_type():
    row = operator("Attention", 25)
    values = V.astype(ml_dtypes.bfloat16)
    for method in (row.run, row.evaluate):
        y, key, value, scores = method([Q, K, values], outputs=4)
        assert (y.dtype, key.dtype, scores.dtype) == (np.float32,) * 3
        assert value.dtype == ml_dtypes.bfloat16


def test_windows_came_with_version_25():
    operator("Attention", 25).run([Q, K, V], {"left_window_size": 1})
    with pytest.raises(ValueError, match="left_window_size"):
        operator("Attention", 24).run([Q, K, V], {"left_window_size": 1})
    with pytest.raises(ValueError, match="at most 6 inputs"):
        operator("Attention", 23).run([Q, K, V, None, None, None, np.array([3, 3])])
