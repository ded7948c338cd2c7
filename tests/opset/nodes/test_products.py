"""Products with what follows them: large ones are split by rows over threads."""

import threading

import numpy as np
import onnx
import pytest
import threadpoolctl

from softops.opset import operator
from softops.opset.backend import prepare, run_node
from softops.opset.operators.products import product

RANDOM = np.random.default_rng(5)


def head(body, features, classes, weights, bias):
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> agraph (float[n,{features}] x) => (float[n,{classes}] p) '
        f"{{ {body} }}"
    )
    for name, value in (("w", weights), ("b", bias)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    return model


@pytest.fixture(scope="module")
def large():
    """257 rows, an odd number, of 256 features for 300 classes: 20 million products."""
    x, w = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((257, 256), (300, 256)))
    return x, w / 16, RANDOM.standard_normal(300).astype(np.float32)


@pytest.mark.parametrize(
    ("tail", "function"),
    [
        ("p = Softmax (s)", lambda s: operator("Softmax", 17).compute(s)),
        ("p = LogSoftmax <axis = 1> (s)", lambda s: operator("LogSoftmax", 17).compute(s)),
        ("r = Relu (s) p = Softmax (r)", lambda s: operator("Softmax", 17).compute(np.maximum(s, 0))),
        ("p = Softmax <axis = 0> (s)", lambda s: operator("Softmax", 17).compute(s, 0)),
        ("p = Identity (s)", lambda s: s),
    ],
)
def test_large_heads(large, tail, function):
    x, w, b = large
    rep = prepare(head(f"s = Gemm <transB = 1> (x, w, b) {tail}", 256, 300, w, b))
    scores = x.astype(np.float64) @ w.T.astype(np.float64) + b
    (p,) = rep.run([x])
    # float32 sums of 256 products of size 1/16 are off by some 1e-6, and so is the logarithm
    np.testing.assert_allclose(p, function(scores), rtol=1e-5, atol=5e-6)


def blas_threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_the_number_of_blas_threads_is_as_before(large):
    before = blas_threads()
    x, w, b = large
    prepare(head("s = Gemm <transB = 1> (x, w, b) p = Softmax (s)", 256, 300, w, b)).run([x])
    assert blas_threads() == before


def test_another_thread_may_limit_blas_afterwards(large):
    # threadpoolctl lets one thread at a time set limits: that one must be let go of
    x, w, b = large
    prepare(head("s = Gemm <transB = 1> (x, w, b) p = Softmax (s)", 256, 300, w, b)).run([x])
    found = []

    def limited():
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            found.extend(blas_threads())

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert set(found) == {1}


def test_one_model_in_many_threads(large):
    x, w, b = large
    rep = prepare(head("s = Gemm <transB = 1> (x, w, b) p = Softmax (s)", 256, 300, w, b))
    (expected,) = rep.run([x])
    found = []

    def work():
        found.extend(rep.run([x])[0] for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    for p in found:
        # another thread's product may be running: then the sums are in another order
        np.testing.assert_allclose(p, expected, rtol=1e-5)


def test_a_bias_that_does_not_fit_is_an_error_there_too(large):
    x, w, _ = large
    model = head("s = Gemm <transB = 1> (x, w, b) p = Softmax (s)", 256, 300, w, np.zeros(7, np.float32))
    with pytest.raises(ValueError, match="Gemm that gives 's'"):
        prepare(model).run([x])


def threads_of_numpy():
    """Of NumPy's own OpenBLAS: other packages bring along theirs."""
    return next(
        (pool["num_threads"] for pool in threadpoolctl.threadpool_info() if "numpy.libs" in pool["filepath"]),
        1,
    )


THREADS = []


class Watched(np.ndarray):
    """A matrix that tells how many threads BLAS has while it is multiplied."""

    def dot(self, other):
        THREADS.append(threads_of_numpy())
        return self.view(np.ndarray).dot(other)


@pytest.mark.skipif(threads_of_numpy() == 1, reason="BLAS has one thread, or is not NumPy's OpenBLAS")
def test_a_middling_product_wakes_no_threads_of_blas():
    before = threads_of_numpy()
    for size, there in (
        (32, before),
        (64, 1),
        (128, 1),
        (180, before),
    ):  # 2^15, 2^18, 2^21 and 5.8 million products
        a = RANDOM.standard_normal((size, size))
        THREADS.clear()
        for _ in range(5):
            y = product(a.view(Watched), a, a[0], [])
            np.testing.assert_allclose(y, a @ a + a[0], rtol=1e-12, atol=1e-12)
        # the number is the process's: what another test has left running may set it back meanwhile
        assert there in THREADS
        assert there == 1 or set(THREADS) == {there}


@pytest.mark.skipif(threads_of_numpy() == 1, reason="nothing is split over one thread")
@pytest.mark.parametrize(("k", "n", "together"), [(257, 300, 1 << 14), (64, 40_000, 40_000)])
def test_rows_of_a_large_product_are_finished_while_they_are_in_the_cache(k, n, together):
    a, b, shapes = RANDOM.standard_normal((300, k)), RANDOM.standard_normal((k, n)), []
    product(a, b, b[0], [lambda rows: shapes.append(rows.shape) or rows])
    assert sum(rows for rows, _ in shapes) == 300
    assert max(rows * columns for rows, columns in shapes) <= together


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (5, 1, 6), (0, 2, 6), (2, 0, 6)], ids=str)
def test_a_batch_times_one_matrix(shape):
    a, b = RANDOM.standard_normal(shape), RANDOM.standard_normal((6, 7))
    for given in (a, np.asfortranarray(a), a[..., ::-1]):
        (y,) = run_node(onnx.helper.make_node("MatMul", ["a", "b"], ["y"]), [given, b], opset_version=13)
        np.testing.assert_allclose(y, given @ b, rtol=1e-12, atol=1e-12)
        assert y.shape == (*shape[:-1], 7)
