"""Arrays of others: whose meaning NumPy would drop is refused, and bfloat16 comes in from every library."""

import operator

import ml_dtypes
import numpy as np
import pytest

from softops import numba_kernels as kernels

X = np.array([[0.0, 1.0, 50.0], [3.0, 2.0, 1.0]], np.float32)
MASKED = np.ma.array(X, mask=[[0, 0, 1], [0, 0, 0]])
LABELS = np.array([0, 1])
MASKED_LABELS = np.ma.array(LABELS, mask=[0, 1])
ONE = ("softmax", "log_softmax", "hardmax", "sparsemax", "entmax15", "logsumexp", "softmax_stats")
ONE += ("sigmoid", "log_sigmoid", "softplus")
TWO = ("softmax_grad", "log_softmax_grad", "sigmoid_grad")
LOSSES = ("cross_entropy", "cross_entropy_grad", "nll_loss")

REFUSED = {
    **{name: ((MASKED,), {}) for name in ONE},
    **{f"{name} in a list": (([MASKED[0], MASKED[1]],), {}) for name in ONE},
    **{f"{name} first": ((MASKED, X), {}) for name in TWO},
    **{f"{name} second": ((X, MASKED), {}) for name in TWO},
    **{f"{name} scores": ((MASKED, LABELS), {}) for name in LOSSES},
    **{f"{name} labels": ((X, MASKED_LABELS), {}) for name in LOSSES},
    **{f"{name} weight": ((X, LABELS), {"weight": MASKED[0]}) for name in LOSSES},
    **{f"{name} where": ((X,), {"where": MASKED > 0}) for name in ("softmax", "log_softmax")},
    **{f"{name} out": ((X,), {"out": MASKED.copy()}) for name in ("softmax", "sigmoid", "hardmax")},
    "merge_stats maxima": (((MASKED, X), (X, X)), {}),
    "merge_stats sums": (((X, X), (X, MASKED)), {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_masked_arrays_are_refused(case):
    arguments, options = REFUSED[case]
    name = case.split()[0]
    with pytest.raises(TypeError, match=rf"^{name} .*without a mask \(got a masked array as .*\); pass "):
        getattr(kernels, name)(*arguments, **options)


def test_the_cure_of_a_masked_array():
    expected = np.exp(X[0, :2]) / np.exp(X[0, :2]).sum()
    actual = kernels.softmax(MASKED.data, where=~np.ma.getmaskarray(MASKED))
    np.testing.assert_allclose(actual[0], [*expected, 0], rtol=1e-6)


def test_of_a_matrix_the_numbers_are_taken():
    with pytest.warns(PendingDeprecationWarning, match="matrix"):
        matrix = np.asmatrix(X)
    assert type(kernels.softmax(matrix)) is np.ndarray
    assert np.array_equal(kernels.logsumexp(matrix), kernels.logsumexp(X))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "wrong", [[0, 9, 9], "0", 0.5, object(), np.array([1, 2]), (1,)], ids=lambda wrong: type(wrong).__name__
)
def test_ignore_index_is_one_integer(name, wrong):
    with pytest.raises(TypeError, match=rf"^{name} takes one integer as ignore_index \(got "):
        getattr(kernels, name)(X, LABELS, ignore_index=wrong)


@pytest.mark.parametrize("one", [1, np.int8(1), np.uint64(1), np.array(1)], ids=repr)
def test_ignore_index_of_every_integer_type(one):
    assert operator.index(one) == 1
    assert kernels.cross_entropy(X, LABELS, ignore_index=one) == kernels.cross_entropy(X[:1], LABELS[:1])


def test_bfloat16_tensors_of_torch():
    torch = pytest.importorskip("torch")
    tensor = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    array = tensor.float().numpy().astype(ml_dtypes.bfloat16)
    for given, same in (
        (tensor, array),
        (tensor.mT, array.swapaxes(1, 2)),
        (tensor[1:, ::2], array[1:, ::2]),
    ):
        actual = kernels.softmax(given)
        assert actual.dtype == ml_dtypes.bfloat16
        assert np.array_equal(actual, kernels.softmax(same))
    labels = torch.tensor([[0, 1, 3, 2, 0]] * 3)
    assert kernels.cross_entropy(tensor, labels) == kernels.cross_entropy(array, labels.numpy())
    weight = torch.tensor([1.0, 2, 3, 4]).bfloat16()
    actual = kernels.cross_entropy(tensor, labels, weight=weight)
    assert actual == kernels.cross_entropy(array, labels.numpy(), weight=weight.float().numpy())
    assert kernels.sigmoid(torch.tensor(0.0).bfloat16()) == 0.5
