"""Faults that are seen in few cases: each is caught all the same, by the verdict that should catch it."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from planted import after, along_row, by_row, check_caught, softmax

TINY = np.float32(2.0**-126)


def tail_of_exp(x, axis):
    d = x - x.max(axis, keepdims=True)
    e = np.exp(d) * np.where(d < -60, np.float32(1 + 5e-5), np.float32(1))
    return (e / e.sum(axis, keepdims=True)).astype(x.dtype)


def maximum_of_whole_vectors(row):
    e = np.exp(row - row[: len(row) // 8 * 8 or len(row)].max())
    return e / e.sum()


def sum_without_the_rest(row):
    e = np.exp(row - row.max())
    return e / (e[:-1].sum() if len(row) % 16 == 1 and len(row) > 1 else e.sum())


def blocks_not_rescaled(row):
    highest, total = -np.inf, np.float32(0)
    for start in range(0, len(row), 128):
        block = row[start : start + 128]
        highest = max(highest, block.max())
        total += np.exp(block - highest).sum()
    return np.exp(row - highest) / total


def one_maximum_for_all(x, axis):
    e = np.exp(x - x.max(initial=-np.inf))
    return e / e.sum(axis, keepdims=True)


def maximum_of_magnitudes(x, axis):
    e = np.exp(x - np.abs(x).max(axis, keepdims=True, initial=0))
    return e / e.sum(axis, keepdims=True)


def clipped_at_80(x, axis):
    d = np.maximum(x - x.max(axis, keepdims=True), -80)
    e = np.where(np.isneginf(x), np.float32(0), np.exp(d))
    return e / e.sum(axis, keepdims=True)


def nan_behind_minus_inf(x, axis):
    return np.where(np.isneginf(x.take([0], axis)), np.float32(np.nan), softmax(x, axis))


def infinity_takes_all(x, axis):
    won = np.isposinf(x)
    share = won / np.maximum(won.sum(axis, keepdims=True), 1)
    return np.where(won.any(axis, keepdims=True), share, softmax(x, axis)).astype(x.dtype)


def exact(node):
    return node.row.evaluate(node.inputs, node.attributes, rounded=False)[0].astype(np.float32)


def cut_off_half(x, node):
    y = exact(node)
    near = y.astype(np.float16)
    return np.where(near.astype(np.float32) > y, np.nextafter(near, np.float16(-1)), near).astype(np.float16)


def of_rounded_exponentials(x, axis):
    wide = x.astype(np.float32)
    e = np.exp(wide - wide.max(axis, keepdims=True)).astype(ml_dtypes.bfloat16).astype(np.float32)
    return (e / e.sum(axis, keepdims=True)).astype(x.dtype)


def wave(y):
    return y * (1 + 1e-13 * np.sin(np.arange(y.size)).reshape(y.shape))


def output_before():
    last = {}

    def fault(x, node):
        (y,) = node.right()
        place = (y.shape, node.axis, node.opset)
        before, last[place] = last.get(place, y), y
        return before

    return fault


def every_third():
    count = itertools.count()
    return after(lambda y: y * np.float32(1.5 if next(count) % 3 == 2 else 1))


def log_with_epsilon(x, axis):
    return np.log(softmax(x, axis) + np.float32(1e-38))


def negative_axis_one_off(x, node):
    axis = node.attributes.get("axis", 0)
    return node.right(axis=axis + 1) if axis < -1 else node.right()


def taken_as(change):
    """Decides by other numbers than those it is given."""

    def fault(x, node):
        found = node.right(change(x), *node.inputs[1:])
        if node.op != "TopK":
            return found
        return [np.take_along_axis(x, found[1], node.axis), found[1]]

    return fault


def by_float64(x, node):
    sign = 1 if node.attributes.get("largest", 1) else -1
    order = np.argsort(-sign * x.astype(np.float64), axis=node.axis, kind="stable")
    if node.op == "ArgMax":
        found = order.take(0, node.axis)
        if node.attributes.get("select_last_index", 0):
            return node.right()
        return np.expand_dims(found, node.axis) if node.attributes.get("keepdims", 1) else found
    indices = order.take(range(node.right()[0].shape[node.axis]), node.axis)
    return [np.take_along_axis(x, indices, node.axis), indices]


def negative_label_counted_from_the_end(x, node):
    if node.attributes.get("ignore_index", 0) >= 0:
        return node.right()
    given = {name: value for name, value in node.attributes.items() if name != "ignore_index"}
    return list(
        node.row.evaluate(
            [x, node.inputs[1] % x.shape[1], *node.inputs[2:]], given, outputs=len(node.right())
        )
    )


def weights_left_out_of_the_mean(x, node):
    if node.attributes["reduction"] != b"mean" or len(node.inputs) < 3:
        return node.right()
    labels = node.inputs[1]
    kept = labels != node.attributes.get("ignore_index")
    return [np.asarray(node.right(reduction="sum")[0] / kept.sum(), x.dtype), *node.right()[1:]]


def class_0_costs_nothing(x, node):
    loss, *rest = node.right()
    if node.attributes["reduction"] == b"none":
        loss = np.where(node.inputs[1] == 0, 0, loss).astype(x.dtype)
    return [loss, *rest]


def probabilities_for_logarithms(x, node):
    loss, *rest = node.right()
    return [loss, *map(np.exp, rest)]


def given(node, place):
    return node.inputs[place] if len(node.inputs) > place else None


def causal_without_the_past(x, node):
    past = given(node, 4)
    if not node.attributes.get("is_causal") or past is None:
        return node.right()
    keys = past.shape[2] + node.inputs[1].shape[2]
    return node.right(x, *node.inputs[1:3], np.tril(np.ones((x.shape[2], keys), bool)), is_causal=0)


def mask_or_causal(x, node):
    if not node.attributes.get("is_causal") or given(node, 3) is None:
        return node.right()
    return node.right(*node.inputs[:3], None)


def groups_interleaved(x, node):
    k, v = node.inputs[1:3]
    if k.ndim < 4 or k.shape[1] in (1, x.shape[1]):
        return node.right()
    times = x.shape[1] // k.shape[1]
    return node.right(x, *(np.tile(part, (1, times, 1, 1)) for part in (k, v)))


def cap_without_the_mask(x, node):
    if not node.attributes.get("softcap") or given(node, 3) is None:
        return node.right()
    return node.right(*node.inputs[:3], None)


def scores_of_another_mode(mode):
    def fault(x, node):
        own = node.attributes.get("qk_matmul_output_mode", 0)
        return node.right(qk_matmul_output_mode=mode ^ 1 if own == mode else own)

    return fault


def axes_without_sign(x, node):
    return node.right(x, np.abs(node.inputs[1])) if len(node.inputs) > 1 else node.right()


def no_axes_are_one(x, node):
    axes = given(node, 1)
    return node.right(x, np.array([0])) if axes is not None and not axes.size else node.right()


def half_up_too_early(x, node):
    limits = np.iinfo(x.dtype)
    wide = node.row.evaluate(node.inputs, node.attributes, rounded=False)[0]
    return np.clip(np.floor(wide + 0.55), limits.min, limits.max).astype(x.dtype)


def every_maximum(x, axis):
    return (x == x.max(axis, keepdims=True)).astype(x.dtype)


def zeros_in_the_softmax(x, node):
    zero = node.attributes["post_transform"] == b"SOFTMAX_ZERO"
    return node.right(post_transform="SOFTMAX") if zero else node.right()


def norm_of_magnitudes(x, node):
    if node.attributes["norm"] != b"MAX":
        return node.right()
    return (x / np.abs(x).max(-1, keepdims=True)).astype(np.float32)


def zeros_as_zeros(x):
    return np.where(np.abs(x) < TINY, 0 * x, x)


F16, F32, F64 = ["float16"], ["float32"], ["float64"]
# name: (operator, its fault, the verdict that should catch it, dtypes)
FAULTS = {
    "the tail of exp off by 5e-5": ("Softmax", along_row(tail_of_exp), "log error", F32),
    "the maximum of whole vectors": ("Softmax", by_row(maximum_of_whole_vectors), "special values", F32),
    "a sum without the rest": ("Softmax", by_row(sum_without_the_rest), "row sum", F32),
    "blocks that are not rescaled": ("Softmax", by_row(blocks_not_rescaled), "row sum", F32),
    "one maximum for all rows": ("Softmax", along_row(one_maximum_for_all), "special values", F32),
    "the maximum of magnitudes": ("Softmax", along_row(maximum_of_magnitudes), "log error", F32),
    "differences clipped at -80": ("Softmax", along_row(clipped_at_80), "log error", F32),
    "NaN behind a first -inf": ("Softmax", along_row(nan_behind_minus_inf), "special values", F32),
    "+inf takes all": ("Softmax", along_row(infinity_takes_all), "special values", F32),
    "subnormal halves flushed": ("Softmax", after(lambda y: np.where(y < 6.1e-5, 0 * y, y)), "ulp", F16),
    "halves cut off": ("Softmax", cut_off_half, "ulp", F16),
    "bfloat16 from rounded parts": ("Softmax", along_row(of_rounded_exponentials), "ulp", ["bfloat16"]),
    "float64 good to 13 digits": ("Softmax", after(wave), "ulp", F64),
    "the output before": ("Softmax", output_before(), "determinism", F32),
    "every third run wrong": ("Softmax", every_third(), "determinism", F32),
    "a negative axis one off": ("Softmax", negative_axis_one_off, "ulp", F32),
    "log of softmax and a little": ("LogSoftmax", along_row(log_with_epsilon), "special values", F32),
    "every maximum gets a 1": ("Hardmax", along_row(every_maximum), "equal", F32),
    "Hardmax of subnormals as 0": ("Hardmax", taken_as(zeros_as_zeros), "equal", F32),
    "ArgMax of subnormals as 0": ("ArgMax", taken_as(zeros_as_zeros), "equal", F32),
    "ArgMax of int64 by float64": ("ArgMax", by_float64, "equal", ["int64"]),
    "ArgMax of uint8 as int8": ("ArgMax", taken_as(lambda x: x.view(np.int8)), "equal", ["uint8"]),
    "TopK of subnormals as 0": ("TopK", taken_as(zeros_as_zeros), "equal", F32),
    "TopK of int64 by float64": ("TopK", by_float64, "equal", ["int64"]),
    "TopK without the sign of 0": ("TopK", lambda x, node: [y + 0 for y in node.right()], "equal", F32),
    "TopK with -0 below 0": (
        "TopK",
        taken_as(lambda x: np.where((x == 0) & np.signbit(x), np.float32(-1e-45), x)),
        "equal",
        F32,
    ),
    "TopK with NaN last": (
        "TopK",
        taken_as(lambda x: np.nan_to_num(x, nan=-np.inf, posinf=np.inf)),
        "equal",
        F32,
    ),
    "indices in int32": (
        "TopK",
        lambda x, node: [y.astype(np.int32) if y.dtype == np.int64 else y for y in node.right()],
        "dtype",
        F32,
    ),
    "a negative label counted": (
        "NegativeLogLikelihoodLoss",
        negative_label_counted_from_the_end,
        "ulp",
        F32,
    ),
    "weights left out of a mean": ("SoftmaxCrossEntropyLoss", weights_left_out_of_the_mean, "ulp", F32),
    "class 0 costs nothing": ("SoftmaxCrossEntropyLoss", class_0_costs_nothing, "ulp", F32),
    "probabilities for logarithms": ("SoftmaxCrossEntropyLoss", probabilities_for_logarithms, "ulp", F32),
    "causal without the past": ("Attention", causal_without_the_past, "ulp", F32),
    "no mask where it is causal": ("Attention", mask_or_causal, "ulp", F32),
    "no mask where it is capped": ("Attention", cap_without_the_mask, "ulp", F32),
    "groups of heads interleaved": ("Attention", groups_interleaved, "ulp", F32),
    "capped for plain scores": ("Attention", scores_of_another_mode(0), "ulp", F32),
    "plain for capped scores": ("Attention", scores_of_another_mode(1), "ulp", F32),
    "probabilities for masked scores": ("Attention", scores_of_another_mode(2), "special values", F32),
    "masked scores for probabilities": ("Attention", scores_of_another_mode(3), "special values", F32),
    "the tail of sigmoid off by 1e-3": (
        "Sigmoid",
        after(lambda y: np.where(y < 1e-9, y * np.float32(1.001), y)),
        "ulp",
        F32,
    ),
    "sigmoid of -inf above 0": (
        "Sigmoid",
        lambda x, node: np.where(np.isneginf(x), np.float32(1e-44), node.right()[0]),
        "special values",
        F32,
    ),
    "softplus is x from 9 on": ("Softplus", lambda x, node: np.where(x > 9, x, node.right()[0]), "ulp", F32),
    "a log-sum of +inf is NaN": (
        "ReduceLogSumExp",
        after(lambda y: np.where(np.isposinf(y), np.float32(np.nan), y)),
        "special values",
        F32,
    ),
    "axes without their sign": ("ReduceLogSumExp", axes_without_sign, "shape", F32),
    "an empty tensor of axes": ("ReduceLogSumExp", no_axes_are_one, "shape", F32),
    "quantized half up too early": ("QLinearSigmoid", half_up_too_early, "cut off", ["uint8"]),
    "zeros in the softmax": ("LinearClassifier", zeros_in_the_softmax, "ulp", F32),
    "the last class is never drawn": (
        "Multinomial",
        lambda x, node: (
            np.where(node.right()[0] == x.shape[1] - 1, 0, node.right()[0]).astype(np.int64)
            if node.attributes["dtype"] == 7
            else np.where(node.right()[0] == x.shape[1] - 1, 0, node.right()[0]).astype(np.int32)
        ),
        "distribution",
        F32,
    ),
    "the maximum of magnitudes as norm": ("Normalizer", norm_of_magnitudes, "ulp", F32),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_is_caught_in_a_quick_run(fault):
    op, *_, dtypes = FAULTS[fault]
    # Where the oracle takes its time, one version has to do.
    opsets = [25] if op == "Attention" else [13] if dtypes == F64 else None
    check_caught(FAULTS[fault], {"wrong"}, opsets=opsets, quick=True)


def nan_swallowed_in_float64(x, node):
    (y,) = node.right()
    return np.nan_to_num(y, nan=0) if x.dtype == np.float64 else y


def bfloat16_sum_that_stalls(x, node):
    """Of more than 200 terms the last ones are too small to be added: 3 % are missing."""
    (y,) = node.right()
    short = x.dtype == ml_dtypes.bfloat16 and x.shape[node.axis] > 200
    return (y.astype(np.float32) * np.float32(1.03)).astype(x.dtype) if short else y


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_quick_run_of_all_dtypes_catches_a_nan_swallowed_in_float64_alone(op):
    report = check_caught((op, nan_swallowed_in_float64, "special values", None), {"wrong"}, quick=True)
    assert {record.dtype for record in report.unexpected} == {"float64"}


def test_a_quick_run_of_all_dtypes_catches_a_bfloat16_sum_that_stalls_on_long_rows():
    report = check_caught(("Softmax", bfloat16_sum_that_stalls, "ulp", None), {"wrong"}, quick=True)
    assert {record.dtype for record in report.unexpected} == {"bfloat16"}


def one_by_one(row):
    e = np.exp(row - row.max())
    return e / (np.add.accumulate(e, dtype=np.float32)[-1] if len(row) > 60_000 else e.sum())


def beyond_16_bits(y):
    y = y.copy()
    y[1 << 16 :] = 0
    return y


def rank_5_alone(x, node):
    (y,) = node.right()
    return y * np.float32(1.01) if x.ndim == 5 and node.axis == 1 else y


# These need the shapes of a default run.
RARE = {
    "long rows summed one by one": ("Softmax", by_row(one_by_one), "row sum", F32),
    "more rows than 16 bits count": ("Softmax", after(beyond_16_bits), "row sum", F32),
    "long rows of float64 in float32": (
        "Softmax",
        after(lambda y: y.astype(np.float32).astype(np.float64) if y.shape[-1] > 10_000 else y),
        "ulp",
        F64,
    ),
    "one axis of rank 5": ("Softmax", rank_5_alone, "row sum", F32),
}


@pytest.mark.parametrize("fault", RARE)
def test_is_caught_in_a_default_run(fault):
    report = check_caught(RARE[fault], {"wrong"}, opsets=[13], families=["gaussian-3"])
    assert len(report.unexpected) < 10
