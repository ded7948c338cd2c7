"""What is refused, by which error, and that the message says what was expected and what came."""

import numpy as np
import pytest
from numpy.exceptions import AxisError

from softops import numba_kernels as kernels

ONE_ARRAY = ["softmax", "log_softmax", "hardmax", "logsumexp", "sigmoid"]
ALONG_AN_AXIS = ["softmax", "log_softmax", "hardmax", "logsumexp"]
X = np.arange(12, dtype=np.float32).reshape(3, 4)
LABELS = np.array([0, 1, 3])


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (np.ones(3, np.int64), "int64"),
        (np.ones(3, np.int32), "int32"),
        (np.ones(3, bool), "bool"),
        (np.ones(3, complex), "complex128"),
        (np.ones(3, np.longdouble), np.dtype(np.longdouble).name),
        (np.ones(3, ">f4" if np.little_endian else "<f4"), "f4"),
        (np.array(["a"]), "<U1"),
        (np.array([1.0, None]), "object"),
        (None, "NoneType"),
        (np.zeros(2, [("a", "f4")]), "'a'"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ONE_ARRAY)
def test_wrong_dtype(name, x, got):
    with pytest.raises(TypeError, match=rf"^{name} takes .*float32.*float64 \(got .*{got}.*\); convert with"):
        getattr(kernels, name)(x)


@pytest.mark.parametrize("name", ["softmax_grad", "cross_entropy"])
def test_wrong_dtype_of_two(name):
    for second in (X, LABELS):
        with pytest.raises(TypeError, match=rf"^{name} takes .*\(got int64\)"):
            getattr(kernels, name)(X.astype(np.int64), second)


@pytest.mark.parametrize("axis", [2, -3, 100, 2**31, -(2**31) - 1, 2**70])
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_axis_out_of_range(name, axis):
    for x in (X, X[:0], X[:, :0]):
        with pytest.raises(AxisError, match=f"axis {axis} is out of bounds for array of dimension 2"):
            getattr(kernels, name)(x, axis)
    with pytest.raises(AxisError):
        kernels.softmax_grad(X, X, axis)
    with pytest.raises(AxisError):
        kernels.cross_entropy(X, LABELS, axis=axis)


@pytest.mark.parametrize("axis", [1.0, "0", [0]])
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_axis_of_a_wrong_type(name, axis):
    with pytest.raises(TypeError):
        getattr(kernels, name)(X, axis)


@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_grad", "nll_loss"])
def test_a_scalar_has_no_classes(name):
    for scalar in (np.float32(1), np.array(2.0), 3.5):
        with pytest.raises(ValueError, match=rf"^{name} .*rank 1 or more \(got a scalar\)"):
            getattr(kernels, name)(scalar, 0)


def read_only(x):
    x.flags.writeable = False
    return x


OUTS = [
    (lambda shape: np.zeros((*shape, 1), np.float32), ValueError, r"\(got out: float32 of shape"),
    (lambda shape: np.zeros((9, 9), np.float32), ValueError, r"\(got out: float32 of shape \(9, 9\)\)"),
    (lambda shape: np.zeros(shape, np.float64), ValueError, r"\(got out: float64 of shape"),
    (lambda shape: np.zeros(shape, np.int32), ValueError, r"\(got out: int32 of shape"),
    (lambda shape: np.zeros(shape, ">f4"), ValueError, r"\(got out: >f4 of shape"),
    (lambda shape: read_only(np.zeros(shape, np.float32)), ValueError, r"\(got a read-only array\)"),
    (lambda shape: [0.0] * 4, TypeError, r"\(got out of type list\)"),
    (lambda shape: memoryview(bytearray(48)), TypeError, r"\(got out of type memoryview\)"),
]


@pytest.mark.parametrize(("make", "error", "got"), OUTS, ids=[got for _, _, got in OUTS])
@pytest.mark.parametrize("name", [*ONE_ARRAY, "softmax_grad"])
def test_wrong_out(name, make, error, got):
    arguments = (X, X) if name == "softmax_grad" else (X,)
    shape = X.shape[:1] if name == "logsumexp" else X.shape
    with pytest.raises(
        error, match=rf"^{name} .*{got}.*; pass np.empty\(\({', '.join(map(str, shape))},?\), "
    ):
        getattr(kernels, name)(*arguments, out=make(shape))


@pytest.mark.parametrize("name", [*ALONG_AN_AXIS, "softmax_grad"])
def test_out_is_left_alone_by_a_failed_call(name):
    shape = X.shape[:1] if name == "logsumexp" else X.shape
    for x, axis in ((X, 2), (X.astype(np.int64), 1), (X[:2], 1)):
        out = np.full(shape, 7, np.float32)
        with pytest.raises((TypeError, ValueError)):
            getattr(kernels, name)(*((x, x) if name == "softmax_grad" else (x,)), axis, out=out)
        assert (out == 7).all()
    fixed = read_only(np.full(shape, 7, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        getattr(kernels, name)(*((X, X) if name == "softmax_grad" else (X,)), out=fixed)
    assert (fixed == 7).all()


def test_read_only_in_place():
    x = read_only(X.copy())
    with pytest.raises(ValueError, match="read-only"):
        kernels.softmax(x, out=x)
    assert (x == X).all()


def test_softmax_grad_of_two_that_differ():
    with pytest.raises(TypeError, match=r"one dtype \(got float32 and float64\)"):
        kernels.softmax_grad(X, X.astype(np.float64))
    for other in (X[:2], X[0], X.T):
        with pytest.raises(ValueError, match=r"one shape \(got \(3, 4\) and"):
            kernels.softmax_grad(X, other)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 4], ValueError, r"labels from 0 to 3 \(got 4 at index \(2,\)\)"),
        ([0, -1, 3], ValueError, r"labels from 0 to 3 \(got -1 at index \(1,\)\)"),
        ([0, -(2**63), 3], ValueError, r"got -9223372036854775808 at index \(1,\)"),
        (
            np.array([0, 1, 2**64 - 1], np.uint64),
            ValueError,
            r"labels from 0 to 3 \(got 18446744073709551615 at",
        ),
        ([0, 1], ValueError, r"one label for each row: shape \(3,\) \(got \(2,\)\); drop the class axis"),
        ([[0], [1], [2]], ValueError, r"shape \(3,\) \(got \(3, 1\)\)"),
        (
            0,
            ValueError,
            r"shape \(3,\) \(got \(\)\); pass an array of shape \(3,\), such as np\.array\(\[label\]\)",
        ),
        (np.eye(3, 4, dtype=int), ValueError, r"\(got \(3, 4\)\); .*labels\.argmax\(axis\) of one-hot rows"),
        ([0, 1, 2, 3], ValueError, r"\(got \(4,\)\); pass axis=0, where the classes lie then"),
        ([0.0, 1.0, 2.0], TypeError, r"integer labels \(got float64\)"),
        ([True, False, True], TypeError, r"integer labels \(got bool\)"),
        (["a", "b", "c"], TypeError, r"integer labels \(got <U1\)"),
        (None, TypeError, r"integer labels \(got object\)"),
    ],
)
def test_wrong_labels(labels, error, message):
    with pytest.raises(error, match=f"^cross_entropy takes .*{message}"):
        kernels.cross_entropy(X, labels)


@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_grad", "nll_loss"])
def test_logits_with_the_classes_last(name):
    """As sequences of tokens have them, where PyTorch and these losses have the classes second."""
    logits, labels = np.zeros((2, 5, 7), np.float32), np.zeros((2, 5), int)
    with pytest.raises(
        ValueError, match=r"shape \(2, 7\) \(got \(2, 5\)\); pass axis=-1, where the classes lie"
    ):
        getattr(kernels, name)(logits, labels)
    getattr(kernels, name)(logits, labels, axis=-1)


def test_an_unsigned_label_is_never_mistaken_for_the_ignored_one():
    with pytest.raises(ValueError, match="labels from 0 to 3"):
        kernels.cross_entropy(X, np.array([0, 1, 2**64 - 100], np.uint64), ignore_index=-100)


def test_ignoring_one_label_excuses_no_other():
    with pytest.raises(ValueError, match=r"labels from 0 to 3 \(got -100 at index \(1,\)\)"):
        kernels.cross_entropy(X, [-1, -100, 0], ignore_index=-1)


@pytest.mark.parametrize(
    ("weight", "got"),
    [
        (np.ones(3, np.float32), r"float32 of shape \(3,\)\); pass a number for each class"),
        (np.ones(4, int), r"int64 of shape \(4,\)\); convert with weight\.astype\(np\.float32\)"),
        (np.ones((1, 4), np.float32), r"float32 of shape \(1, 4\)"),
        (np.float32(1), r"float32 of shape \(\)"),
        (["a"] * 4, r"<U1 of shape \(4,\)"),
        ([None] * 4, r"object of shape \(4,\)"),
        ([1j] * 4, r"complex128 of shape \(4,\)"),
    ],
)
def test_wrong_weight(weight, got):
    with pytest.raises((ValueError, TypeError), match=rf"^cross_entropy takes 4 .*weights.* \(got {got}"):
        kernels.cross_entropy(X, LABELS, weight=weight)


@pytest.mark.parametrize("reduction", ["average", "MEAN", "", None, ["mean"], 0])
def test_unknown_reduction(reduction):
    with pytest.raises(ValueError, match=r"^cross_entropy .*mean, sum, none \(got .*\)"):
        kernels.cross_entropy(X, LABELS, reduction=reduction)
