"""Every public function with every kind of wrong array: a message of ours that names the cure, or a right result.

What NumPy, Numba, torch or SciPy say of it would be a traceback from within.
"""

import re

import ml_dtypes
import numpy as np
import pytest

from softops import numba_kernels as kernels

X = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
ROW, LABELS = X[0], np.array([0, 1, 2, 3])
HEADS = np.random.default_rng(1).standard_normal((1, 2, 4, 8)).astype(np.float32)
LOGSUMS = np.zeros(HEADS.shape[:3], np.float32)

# The arrays of a right call, by the function; what is not here takes one array.
CALLS = {
    **{name: (X, X) for name in kernels.__all__ if name.endswith("_grad")},
    **{f"{name}_row": (ROW, ROW.copy()) for name in ("softmax", "log_softmax", "hardmax", "sigmoid")},
    **dict.fromkeys(("cross_entropy", "cross_entropy_grad", "nll_loss"), (X, LABELS)),
    **{name: (X, abs(X) / 9) for name in ("binary_cross_entropy", "binary_cross_entropy_grad")},
    **dict.fromkeys(("linear_cross_entropy", "linear_cross_entropy_grad"), (X, X, LABELS)),
    **dict.fromkeys(("linear_softmax", "linear_log_softmax", "linear_logsumexp"), (X, X)),
    "logsumexp_row": (ROW,),
    "attention": (HEADS, HEADS, HEADS),
    "attention_decode": (HEADS[:, :, 0], HEADS, HEADS, np.array([4])),
    "attention_grad": (HEADS, HEADS, HEADS, HEADS, HEADS, LOGSUMS),
    "linear_topk": (X, X, 2),
    "topk": (X, 2),
    "entmax": (X, 1.3),
    "entmax_grad": (X, abs(X), 1.3),
}
OTHERS = {"gumbel_noise", "merge_stats", "warmup"}  # which take no array of scores
FUNCTIONS = sorted(set(kernels.__all__) - OTHERS)
PLACES = [
    (name, place)
    for name in FUNCTIONS
    for place, given in enumerate(CALLS.get(name, (X,)))
    if isinstance(given, np.ndarray) and given.dtype == np.float32
]


def scipy_sparse(x):
    return pytest.importorskip("scipy.sparse").csr_array(x.reshape(-1, x.shape[-1]))


def tensor(x):
    return pytest.importorskip("torch").from_numpy(np.ascontiguousarray(x))


WRONG = {
    "integers": lambda x: x.astype(np.int64),
    "booleans": lambda x: x > 0,
    "complex numbers": lambda x: x.astype(np.complex64),
    "objects": lambda x: x.astype(object),
    "strings": lambda x: x.astype(str),
    "strings in a list": lambda x: x.astype(str).tolist(),
    "a word": lambda x: "abc",
    "None": lambda x: None,
    "a dictionary": lambda x: {1: 2},
    "rows of different lengths": lambda x: [[1.0], [2.0, 3.0]],
    "extended precision": lambda x: x.astype(np.longdouble),
    "float8": lambda x: x.astype(ml_dtypes.float8_e5m2),
    "times": lambda x: x.astype("m8[s]"),
    "scipy.sparse": scipy_sparse,
    "a sparse tensor": lambda x: tensor(x).to_sparse(),
    "a tensor with a gradient": lambda x: tensor(x).clone().requires_grad_(),
    "a bfloat16 tensor with a gradient": lambda x: tensor(x).bfloat16().requires_grad_(),
    "a tensor of integers": lambda x: tensor(x).int(),
    "a list of tensors": lambda x: [tensor(row).bfloat16() for row in x],
}


def test_every_function_is_here():
    arrays = {name for name, _ in PLACES}
    assert arrays == set(FUNCTIONS)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_in_our_words(wrong):
    """What came, what was expected and what to do, by the name of the function."""
    for name, place in PLACES:
        arguments = list(CALLS.get(name, (X,)))
        arguments[place] = WRONG[wrong](arguments[place])
        with pytest.raises((TypeError, ValueError)) as error:
            getattr(kernels, name)(*arguments)
        assert re.match(rf"{name} (takes|gives|writes) .*\(got .*\); \S", str(error.value), re.DOTALL), (
            error.value
        )


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        ("integers", r"\(got int64\); convert with x\.astype\(np\.float32\)$"),
        ("complex numbers", r"\(got complex64\); convert with np\.real\(x\) or np\.abs\(x\)$"),
        ("scipy.sparse", r"dense arrays \(got csr_array as x\); pass x\.toarray\(\)$"),
        ("a sparse tensor", r"pass x\.to_dense\(\)$"),
        ("a tensor with a gradient", r"pass x\.detach\(\)$"),
        ("a bfloat16 tensor with a gradient", r"pass x\.detach\(\)$"),
        ("a tensor of integers", r"\(got int32\); convert with np\.asarray\(x, np\.float32\)$"),
        ("rows of different lengths", "make its rows equally long"),
        ("None", r"\(got NoneType\)"),
    ],
)
def test_the_cure(wrong, cure):
    with pytest.raises((TypeError, ValueError), match=cure):
        kernels.softmax(WRONG[wrong](X))


@pytest.mark.parametrize("kind", ["a bfloat16 tensor", "a float32 tensor", "a list"])
def test_tensors_and_lists_come_in(kind):
    """All arrays of a call alike: the same bits as of the arrays."""
    make = {
        "a bfloat16 tensor": lambda x: tensor(x).bfloat16(),
        "a float32 tensor": tensor,
        "a list": np.ndarray.tolist,
    }[kind]
    dtype = {"a bfloat16 tensor": ml_dtypes.bfloat16, "a list": np.float64}.get(kind, np.float32)
    for name in sorted(
        set(FUNCTIONS) - {"sample", "gumbel_softmax"}
    ):  # which draw by another seed in every call
        given = CALLS.get(name, (X,))
        if name == "attention_grad" and kind == "a bfloat16 tensor":
            continue  # whose log-sums are of float32
        arrays = [
            np.asarray(x).astype(dtype) if (name, place) in PLACES else x for place, x in enumerate(given)
        ]
        others = [make(x) if (name, place) in PLACES else x for place, x in enumerate(given)]
        if name.endswith("_row") and len(given) == 2:
            others[1] = arrays[1].copy()  # what is written to is an array
        actual, expected = (as_tuple(getattr(kernels, name)(*each)) for each in (others, arrays))
        for one, two in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, two)


def as_tuple(result):
    return tuple(np.asarray(each) for each in (result if isinstance(result, tuple) else (result,)))


def test_whole_numbers_of_python_are_floats():
    """A list has no dtype that someone chose; an array of integers has, and is refused."""
    expected = kernels.softmax(np.array([1.0, 2.0, 3.0]))
    for given in ([1, 2, 3], (1, 2, 3), [1, 2.0, 3]):
        actual = kernels.softmax(given)
        assert actual.dtype == np.float64
        np.testing.assert_array_equal(actual, expected)
    assert kernels.softmax(3) == 1
    assert kernels.logsumexp(3) == 3
    with pytest.raises(TypeError, match="got int64"):
        kernels.softmax(np.array([1, 2, 3]))
    weighted = kernels.cross_entropy(X, LABELS, weight=[1, 2, 3, 4, 5, 6])
    assert weighted == kernels.cross_entropy(X, LABELS, weight=np.arange(1.0, 7.0))
