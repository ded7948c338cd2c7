"""Every planted fault is caught, each by the verdict that should catch it; a right runtime passes."""

import itertools

import numpy as np
import pytest
from planted import Planted, after, along_row, check_caught, softmax

from softops import conformance
from softops.conformance.verdicts.verdicts import VERDICTS

NAN, INF = np.nan, np.inf


def put(where, value):
    def change(y):
        y = y.copy()
        if y.size:
            y[where(y)] = value
        return y

    return change


def one_row(y):
    y = y.copy()
    if len(y) > 7:
        y[7] *= np.float32(1 + 1e-5)
    return y


def single_rule(x, node):
    return softmax(x, node.axis)


def newest_default(x, node):
    return node.right(axis=node.attributes.get("axis", -1))


def oldest_default(x, node):
    return node.right(axis=node.attributes.get("axis", min(1, x.ndim - 1)))


def no_maximum(x, axis):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def uniform_where_masked(y):
    rows = np.isnan(y).all(-1, keepdims=True)
    return np.where(rows, np.float32(1 / max(y.shape[-1], 1)), y)


def turned_back(x):
    return np.ascontiguousarray(x[..., ::-1])


def last_of_ties(x, axis):
    return np.flip(hardmax(np.flip(x, axis), axis), axis)


def hardmax(x, axis):
    from softops.opset import reference

    return reference.hardmax(x, axis, dtype=x.dtype)


def swap_top_two(y):
    if y.ndim != 2 or y.shape[1] < 2:
        return y
    y, order = y.copy(), y.argsort(1)
    rows = np.arange(len(y))
    first, second = order[:, -1], order[:, -2]
    y[rows, first], y[rows, second] = y[rows, second], y[rows, first]
    return y


def jitter():
    count = itertools.count()
    return after(lambda y: y * np.float32(1 + 2.0**-23 * (next(count) % 2)))


def writes_inputs(x, node):
    outputs = node.right()
    if x.flags.writeable:
        x += 1
    return outputs


def ascending(x, node):
    values, indices = node.right()
    axis = node.axis
    return [np.flip(values, axis), np.flip(indices, axis)]


def last_index_of_ties(x, node):
    values, indices = node.right()
    if node.axis in (1, -1) and x.ndim == 2 and x.dtype.kind == "f" and node.attributes.get("largest", 1):
        order = np.lexsort((-np.arange(x.shape[1]) * np.ones((len(x), 1)), -x), axis=1)
        indices = order[:, : indices.shape[1]]
    return [values, indices]


def as_float32(x, node):
    # As a runtime that has no kernel for integers.
    found = x.astype(np.float32).argmax(node.axis)
    return np.expand_dims(found, node.axis) if node.attributes.get("keepdims", 1) else found


def divides_by_all(x, node):
    outputs = node.right()
    if node.attributes["reduction"] != b"mean":
        return outputs
    labels = node.inputs[1]
    total = node.right(reduction="sum")[0]
    return [(total / labels.size).astype(x.dtype), *outputs[1:]]


def without_ignoring(x, node):
    given = {name: value for name, value in node.attributes.items() if name != "ignore_index"}
    return list(node.row.evaluate(node.inputs, given, outputs=len(node.right())))


def no_scale(x, node):
    return node.right(scale=1.0)


def not_causal(x, node):
    return node.right(is_causal=0)


def mask_inverted(x, node):
    mask = node.inputs[3] if len(node.inputs) > 3 else None
    if mask is None or mask.dtype != bool:
        return node.right()
    return node.right(*node.inputs[:3], ~mask)


def bad_labels(x, node):
    label, scores = node.right()
    return [np.roll(label, 1), scores]


def uniform_samples(x, node):
    (right,) = node.right()
    return np.random.default_rng(0).integers(0, x.shape[1], right.shape).astype(right.dtype)


def draws_masked(x, node):
    (right,) = node.right()
    right[:, 0] = x.argmin(1)
    return right


def cut_instead_of_rounded(x, node):
    exact = node.row.evaluate(node.inputs, node.attributes, rounded=False)[0]
    limits = np.iinfo(x.dtype)
    return np.clip(np.floor(exact), limits.min, limits.max).astype(x.dtype)


def half_sums(x, axis):
    e = np.exp(x.astype(np.float32) - x.max(axis, keepdims=True).astype(np.float32)).astype(np.float16)
    return (e / np.add.accumulate(e, axis, dtype=np.float16).take([-1], axis)).astype(x.dtype)


def log_of_softmax(x, axis):
    return np.log(softmax(x, axis))


F32 = ["float32"]
# name: (operator, its fault, the verdict that should catch it, dtypes)
FAULTS = {
    "one axis below opset 13": ("Softmax", single_rule, "ulp", F32),
    "the newest default axis": ("Softmax", newest_default, "ulp", F32),
    "the oldest default axis": ("LogSoftmax", oldest_default, "ulp", F32),
    "a dropped maximum": ("Softmax", along_row(no_maximum), "special values", F32),
    "tail flushed below 1e-6": ("Softmax", after(lambda y: np.where(y < 1e-6, 0 * y, y)), "log error", F32),
    "accumulated in half precision": ("Softmax", along_row(lambda x, a: half_sums(x, a)), "row sum", F32),
    "halves accumulated in half": ("Softmax", along_row(lambda x, a: half_sums(x, a)), "ulp", ["float16"]),
    "log of softmax": ("LogSoftmax", along_row(log_of_softmax), "special values", F32),
    "NaN swallowed": ("Softmax", after(lambda y: np.nan_to_num(y, nan=0)), "special values", F32),
    "a row of -inf made uniform": ("Softmax", after(uniform_where_masked), "special values", F32),
    "masked elements not quite 0": ("Softmax", after(put(lambda y: y == 0, 1e-30)), "special values", F32),
    "ties to the last": ("Hardmax", along_row(last_of_ties), "equal", F32),
    "sums off by 1e-4": ("Softmax", after(lambda y: y * np.float32(1 + 1e-4)), "row sum", F32),
    "log sums off by 1e-4": ("LogSoftmax", after(lambda y: y + np.float32(1e-4)), "row sum", F32),
    "one row of many": ("Softmax", after(one_row), "ulp", F32),
    "a temperature of 1.001": (
        "Softmax",
        along_row(lambda x, a: softmax(x / np.float32(1.001), a)),
        "kl",
        F32,
    ),
    "below 0": ("Softmax", after(put(lambda y: y == 0, -1e-9)), "simplex", F32),
    "above 1": ("Sigmoid", after(put(lambda y: y == 1, 1.00001)), "simplex", F32),
    "two largest swapped": ("Softmax", after(swap_top_two), "argmax", F32),
    "wrong five largest": ("Softmax", after(lambda y: np.roll(y, 1, -1)), "top-k", F32),
    "not monotone": ("Sigmoid", after(lambda y: np.where(y > 0.9, y - np.float32(1e-4), y)), "order", F32),
    "other bits in each run": ("Softmax", jitter(), "determinism", F32),
    "inputs overwritten": ("Softmax", writes_inputs, "inputs", F32),
    "a wider dtype": ("Softmax", after(lambda y: y.astype(np.float64)), "dtype", F32),
    "a matrix for everything": ("Softmax", after(lambda y: y.reshape(len(y), -1)), "shape", F32),
    "no outputs": ("Softmax", lambda x, node: [], "outputs", F32),
    "an output too many": ("Softmax", lambda x, node: node.right() * 2, "outputs", F32),
    "sigmoid cut at 18": ("Sigmoid", lambda x, node: node.right(np.clip(x, -18, 18)), "ulp", F32),
    "softplus overflows": ("Softplus", lambda x, node: np.log(np.exp(x) + 1), "special values", F32),
    "softplus is 0 below -17": ("Softplus", after(lambda y: np.where(y < 3e-8, 0 * y, y)), "ulp", F32),
    "log-sum of nothing is 0": ("ReduceLogSumExp", after(put(np.isneginf, 0)), "special values", F32),
    "integers rounded, not cut off": (
        "ReduceLogSumExp",
        lambda x, node: np.rint(node.row.evaluate(node.inputs, node.attributes, rounded=False)[0]).astype(
            x.dtype
        ),
        "cut off",
        ["int32"],
    ),
    "least first": ("TopK", ascending, "equal", F32),
    "ties at the k-th place to the last": ("TopK", last_index_of_ties, "equal", F32),
    "integers compared as float32": ("ArgMax", as_float32, "equal", ["int64"]),
    "mean over ignored labels too": ("SoftmaxCrossEntropyLoss", divides_by_all, "ulp", F32),
    "ignored labels counted": ("NegativeLogLikelihoodLoss", without_ignoring, "ulp", F32),
    "attention without its scale": ("Attention", no_scale, "ulp", F32),
    "attention that looks ahead": ("Attention", not_causal, "ulp", F32),
    "attention by the masked keys": ("Attention", mask_inverted, "ulp", F32),
    "labels of other rows": ("LinearClassifier", bad_labels, "label", F32),
    "uniform samples": ("Multinomial", uniform_samples, "distribution", F32),
    "masked classes drawn": ("Multinomial", draws_masked, "distribution", F32),
    "quantized by cutting off": ("QLinearSoftmax", cut_instead_of_rounded, "cut off", ["uint8"]),
    "norms of another row": ("Normalizer", after(lambda y: y * np.float32(1 + 1e-5)), "ulp", F32),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_is_caught_by_its_verdict(fault):
    # A label without a class makes one of them crash.
    report = check_caught(FAULTS[fault], {"wrong", "crashed"}, quick=True)
    first = next(record for record in report.cases if record.outcome == "wrong")
    assert first.verdict in VERDICTS
    assert first.message


OPERATORS = sorted({fault[0] for fault in FAULTS.values()})


@pytest.mark.parametrize("op", OPERATORS)
def test_a_right_runtime_passes(op):
    report = conformance.run(Planted(), ops=[op], dtypes=["float32"] if op[0] != "Q" else None, quick=True)
    assert report.passed, [record.message for record in report.unexpected][:3]
    assert report.compared > 10
