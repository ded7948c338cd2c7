"""linear_logsumexp and linear_topk against extended precision, whatever rows are at hand at a time."""

import ml_dtypes
import numpy as np
import pytest

from softops.numba_kernels import linear_logsumexp, linear_topk
from softops.numba_kernels.linear import slab
from softops.opset import reference

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def made(shape, classes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=shape), rng.normal(size=(classes, shape[-1]))
    return x.astype(dtype), weight.astype(dtype), rng.normal(size=classes).astype(dtype)


def exact(x, weight, bias):
    """The scores in extended precision, and how far those computed may be off."""
    wide = [np.asarray(a, np.longdouble) for a in (x, weight, bias)]
    size = np.abs(wide[0]) @ np.abs(wide[1]).T + np.abs(wide[2])
    unit = 2.0**-53 if x.dtype == np.float64 else 2.0**-24
    return wide[0] @ wide[1].T + wide[2], size * unit * (x.shape[-1] + 3)


@pytest.fixture(params=[None, 700])
def few_rows(request, monkeypatch):
    """All rows at a time, or as few as can be."""
    if request.param:
        monkeypatch.setattr(slab, "_BYTES", request.param)
        monkeypatch.setattr(slab, "_MOST_BYTES", request.param)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 40), (2, 30, 33)])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.usefixtures("few_rows")
def test_log_sums(shape, dtype, temperature):
    x, weight, bias = made(shape, 130, dtype)
    scores, off = exact(x, weight, bias)
    found = linear_logsumexp(x, weight, bias, temperature=temperature)
    right = reference.logsumexp(scores / temperature)
    assert found.dtype == dtype
    bound = off.max(axis=-1) / temperature + 2 * float(ml_dtypes.finfo(dtype).eps) * (1 + np.abs(right))
    assert (np.abs(found - right) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("few_rows")
def test_the_best_classes(dtype):
    x, weight, bias = made((2, 30, 33), 130, dtype)
    scores, off = exact(x, weight, bias)
    p, indices = linear_topk(x, weight, 5, bias, temperature=0.7)
    found, same = linear_topk(x, weight, 5, bias, probabilities=False)
    assert np.array_equal(indices, same)
    assert p.shape == indices.shape == (2, 30, 5)
    # each is one of the best but for rounding, and none twice
    fifth = np.sort(scores, axis=-1)[..., -5:-4]
    own, slack = np.take_along_axis(scores, indices, -1), 2 * off.max(axis=-1, keepdims=True)
    assert (own >= fifth - slack).all()
    assert all(len(set(row)) == 5 for row in indices.reshape(-1, 5).tolist())
    assert (np.diff(found.astype(np.float64), axis=-1) <= 0).all()
    unit = float(ml_dtypes.finfo(dtype).eps)
    assert (np.abs(found - own) <= slack + unit * np.abs(own)).all()
    right = np.take_along_axis(reference.softmax(scores / 0.7), indices, -1)
    tiny = float(ml_dtypes.finfo(dtype).smallest_subnormal)
    assert (np.abs(p - right) <= right * (np.expm1(2 * slack / 0.7) + 2 * unit) + tiny).all()


def test_ties_and_special_values():
    weight = np.array([[1.0], [2.0], [2.0], [-np.inf], [2.0]])
    p, indices = linear_topk([1.0], weight, 3)
    assert indices.tolist() == [1, 2, 4]
    assert linear_logsumexp([1.0], weight) == pytest.approx(np.log(np.e + 3 * np.exp(2)))
    assert np.isnan(linear_logsumexp([[1.0], [np.nan]], weight)).tolist() == [False, True]
    assert p.sum() == pytest.approx(3 * np.exp(2) / (np.e + 3 * np.exp(2)))


def test_nothing():
    x, weight, _ = made((4, 3), 6, np.float32)
    assert np.isneginf(linear_logsumexp(x, weight[:0])).all()
    assert linear_logsumexp(x[:0], weight).shape == (0,)
    values, indices = linear_topk(x, weight, 0)
    assert values.shape == indices.shape == (4, 0)
    assert linear_topk(x[:0], weight, 2)[0].shape == (0, 2)


def test_faults():
    x, weight, _ = made((4, 3), 6, np.float32)
    with pytest.raises(ValueError, match="linear_topk"):
        linear_topk(x, weight, 7)
    with pytest.raises(TypeError, match="linear_topk"):
        linear_topk(x, weight, 1.5)
    with pytest.raises(ValueError, match=r"temperature with probabilities alone \(got 2.0\)"):
        linear_topk(x, weight, 2, temperature=2.0, probabilities=False)
    with pytest.raises(ValueError, match="temperature"):
        linear_logsumexp(x, weight, temperature=-1.0)
    with pytest.raises(ValueError, match=r"weight of shape \(classes, features\)"):
        linear_logsumexp(x, weight.T)
