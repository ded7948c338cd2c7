"""Digests of results that every processor with a fused multiply-add gives: ``python one_answer.py`` prints them.

Inputs are made of integers, so that they are the same everywhere. A NaN is a NaN, whatever its bits.
"""

import hashlib
import json
import sys

import ml_dtypes
import numpy as np

from softops import numba_kernels as kernels

DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
ALONG_AXES = ["softmax", "log_softmax", "logsumexp", "hardmax", "sparsemax", "entmax15"]
ELEMENTWISE = ["sigmoid", "log_sigmoid", "softplus", "tanh", "erf", "gelu", "swish", "mish"]
NORMALIZATIONS = ["layer_norm", "rms_norm"]
# Short rows, rows, long rows in blocks, columns, and columns of more than one settled sum.
SHAPES = [((9, 5), -1), ((40, 37), -1), ((5, 1000), -1), ((2, 20000), -1), ((3, 21, 40), 1), ((2, 700, 3), 1)]
SCALES = [1, 30, 400]


def numbers(shape, scale, dtype, seed=0):
    """Between −scale and scale, from a linear congruential generator; some repeated, some infinite."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    drawn = (index + np.uint64(seed)) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    drawn ^= drawn >> np.uint64(33)
    drawn *= np.uint64(0xFF51AFD7ED558CCD)
    x = ((drawn >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0) * scale
    x[index % np.uint64(7) == 0] = scale / 4
    x[index % np.uint64(101) == 3] = -np.inf
    return x.reshape(shape).astype(dtype)


def digest(*results):
    parts = []
    for result in map(np.asarray, results):
        plain = np.where(np.isnan(result.astype(np.float64)), np.zeros((), result.dtype), result)
        parts += [np.ascontiguousarray(plain).tobytes(), np.isnan(result.astype(np.float64)).tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


WITH_OPTIONS = {
    "topk": {"k": 5, "probabilities": True},
    "sample": {"num_samples": 3, "top_p": 0.9, "min_p": 0.001, "seed": 7},
    "gumbel_softmax": {"temperature": 0.7, "seed": 7},
    "entmax": {"alpha": 1.3},
}
GRADIENTS = ["softmax_grad", "log_softmax_grad", "sparsemax_grad", "entmax15_grad"]
BINARY = ["binary_cross_entropy", "binary_cross_entropy_grad"]
ON_PAIRS = [*GRADIENTS, *BINARY, "cross_entropy", "cross_entropy_grad"]
# Of matrices: narrow and wide panels, several blocks of keys and classes, a depth that fills no vector.
OF_MATRICES = {
    "linear_softmax": [((5, 33), (70, 33)), ((100, 64), (130, 64))],
    "attention": [((1, 4, 5, 20), (1, 2, 200, 20)), ((2, 2, 100, 33), (2, 2, 130, 33))],
    "attention_decode": [((2, 4, 1, 20), (2, 2, 1000, 20))],
    "attention_grad": [((1, 2, 70, 20), (1, 1, 130, 20))],
    "linear_cross_entropy_grad": [((60, 33), (300, 33))],
}


def digests(
    dtypes=DTYPES,
    operators=(*ALONG_AXES, *ELEMENTWISE, *NORMALIZATIONS, *ON_PAIRS, *WITH_OPTIONS, *OF_MATRICES),
):
    """By operator, dtype, shape, axis and scale."""
    found = {}
    for name in dtypes:
        for operator in (operator for operator in operators if operator in OF_MATRICES):
            for shapes in OF_MATRICES[operator]:
                a, b = (numbers(shape, 2, DTYPES[name], seed) for seed, shape in enumerate(shapes))
                found[f"{operator} {name} {shapes}"] = digest(*_of_matrices(operator, a, b))
        for shape, axis in SHAPES:
            for scale in SCALES:
                x = numbers(shape, scale, DTYPES[name])
                for operator in (operator for operator in operators if operator not in OF_MATRICES):
                    key = f"{operator} {name} {shape} {axis} {scale}"
                    result = _result(operator, x, axis)
                    found[key] = digest(*(result if isinstance(result, tuple) else [result]))
    return found


def _of_matrices(operator, a, b):
    a, b = (np.where(np.isinf(x.astype(np.float64)), np.zeros((), x.dtype), x) for x in (a, b))
    if operator == "linear_softmax":
        return [kernels.linear_softmax(a, b)]
    if operator == "linear_cross_entropy_grad":
        labels = np.arange(len(a)) % 50
        options = {"ignore_index": 7, "label_smoothing": 0.1, "softcap": 9.0, "return_loss": True}
        return kernels.linear_cross_entropy_grad(a, b, labels, **options)
    if operator == "attention_decode":
        return kernels.attention_decode(a[:, :, 0], b, b, [b.shape[2], 700], return_logsumexp=True)
    results = kernels.attention(a, b, b, is_causal="bottom-right", softcap=3.0, return_logsumexp=True)
    return (
        results
        if operator == "attention"
        else kernels.attention_grad(a, a, b, b, *results, is_causal="bottom-right", softcap=3.0)
    )


def _result(operator, x, axis):
    function = getattr(kernels, operator)
    if operator in ELEMENTWISE:
        return function(x)
    if operator in NORMALIZATIONS:
        return function(np.where(np.isinf(x.astype(np.float64)), np.zeros((), x.dtype), x), axis=axis)
    if operator in WITH_OPTIONS:
        return function(x, axis=axis, **WITH_OPTIONS[operator])
    if operator in ON_PAIRS:
        return _on_pairs(operator, function, x, axis)
    return function(x, axis=axis)


def _on_pairs(operator, function, x, axis):
    if operator in BINARY:
        targets = np.minimum(np.abs(numbers(x.shape, 1, x.dtype, seed=5)), np.ones((), x.dtype))
        return function(x, targets, pos_weight=3.0, reduction="none")
    if operator in GRADIENTS:
        y = getattr(kernels, operator.removesuffix("_grad"))(x, axis=axis)
        return function(numbers(x.shape, 1, x.dtype, seed=5), y, axis=axis)
    labels = np.moveaxis(x, axis, -1)[..., 0].astype(np.float64)
    labels = np.where(np.isfinite(labels), np.abs(labels), 0).astype(np.int64) % x.shape[axis]
    return function(x, labels, axis=axis, reduction="none" if operator == "cross_entropy" else "sum")


if __name__ == "__main__":
    json.dump(digests(sys.argv[1:] or DTYPES), sys.stdout, indent=0)
