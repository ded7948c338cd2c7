"""ArgMax, TopK and Multinomial: the kernels, the oracle and onnxruntime decide alike."""

import re

import ml_dtypes
import numpy as np
import onnx
import pytest

from softops.opset import operator, operators

NAN, INF = np.nan, np.inf
RANDOM = np.random.default_rng(3)
TIES = RANDOM.integers(0, 5, (3, 40, 4)).astype(np.float32)  # five values: ties everywhere
SPECIAL = np.float32(
    [[1, NAN, 3, NAN, 2], [1, 3, 3, 0, -INF], [-INF, -INF, INF, INF, 0], [-0.0, 0.0, -1, 0, 0]]
)
ARG_MAX = (1, 11, 12, 13)
TOP_K = (1, 10, 11, 24)


def assert_same(actual, expected):
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.dtype == theirs.dtype
        # As bytes: NumPy's testing does not know the NaN of bfloat16.
        assert ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()


def top_k(opset, x, k, **attributes):
    """Inputs and attributes of a TopK at that opset."""
    return ([x], {"k": k, **attributes}) if opset < 10 else ([x, np.array([k])], attributes)


@pytest.mark.parametrize("opset", ARG_MAX)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("keepdims", [None, 0])
def test_arg_max_is_that_of_onnxruntime(onnxruntime_of, opset, axis, keepdims):
    row = operator("ArgMax", opset)
    given = {"axis": axis, "keepdims": keepdims}
    given = {name: value for name, value in given.items() if value is not None}
    for more in ({}, {"select_last_index": 1}) if opset >= 12 else ({},):
        expected = onnxruntime_of("ArgMax", opset, [TIES], given | more)
        assert_same(row.run([TIES], given | more), expected)
        assert_same(row.evaluate([TIES], given | more), expected)


def test_a_nan_is_the_largest():
    row = operator("ArgMax", 13)
    for method in (row.run, row.evaluate):
        assert method([SPECIAL], {"axis": 1, "keepdims": 0})[0].tolist() == [1, 1, 2, 0]
        assert method([SPECIAL], {"axis": 1, "keepdims": 0, "select_last_index": 1})[0].tolist() == [
            3,
            2,
            3,
            4,
        ]


@pytest.mark.parametrize("opset", TOP_K)
@pytest.mark.parametrize("k", [0, 1, 3, 40])
@pytest.mark.parametrize("largest", [1, 0])
def test_top_k_is_that_of_onnxruntime(onnxruntime_of, opset, k, largest):
    if opset < 11 and not largest:
        pytest.skip("largest came with version 11")
    if opset < 10 and not k:
        pytest.skip("onnx refuses an attribute k of 0")
    inputs, attributes = top_k(opset, TIES, k, axis=1, **({"largest": largest} if opset >= 11 else {}))
    expected = onnxruntime_of("TopK", opset, inputs, attributes, outputs=2)
    row = operator("TopK", opset)
    assert_same(row.run(inputs, attributes, outputs=2), expected)
    assert_same(row.evaluate(inputs, attributes, outputs=2), expected)


@pytest.mark.parametrize("k", [0, 1, 2, 5])
@pytest.mark.parametrize("largest", [1, 0])
def test_special_values_are_sorted_as_in_onnxruntime(onnxruntime_of, k, largest):
    inputs, attributes = top_k(11, SPECIAL, k, largest=largest)
    expected = onnxruntime_of("TopK", 11, inputs, attributes, outputs=2)
    row = operator("TopK", 11)
    assert_same(row.run(inputs, attributes, outputs=2), expected)
    assert_same(row.evaluate(inputs, attributes, outputs=2), expected)


@pytest.mark.parametrize("op_type", ["ArgMax", "TopK"])
def test_every_dtype_and_the_ends_of_its_range(op_type):
    row = operator(op_type, 24)
    for name in row.dtypes:
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            x = RANDOM.choice(np.array([limits.min, limits.max - 1, limits.max], dtype), (4, 30))
        else:
            x = (TIES[0] * 2**-3).astype(dtype).T
            x[1, 7] = NAN
        more = {"TopK": ([np.array([3])], 2), "ArgMax": ([], 1)}[op_type]
        ours, exact = (m([x, *more[0]], {"axis": 1}, outputs=more[1]) for m in (row.run, row.evaluate))
        assert_same(ours, exact)
        assert ours[0].dtype == (dtype if op_type == "TopK" else np.int64)


@pytest.mark.parametrize("opset", TOP_K)
@pytest.mark.parametrize(
    ("k", "message"), [(-1, r"k from [01] to 5.*got -1"), (6, r"k from [01] to 5.*got 6")]
)
def test_top_k_of_another_number(opset, k, message):
    inputs, attributes = top_k(opset, SPECIAL, k)
    row = operator("TopK", opset)
    for method in (row.run, row.evaluate):
        with pytest.raises(ValueError, match=message):
            method(inputs, attributes, outputs=2)


def test_what_decisions_refuse():
    with pytest.raises(ValueError, match=r"K of shape \(1,\) \(got \(\)\)"):
        operator("TopK", 11).run([SPECIAL, np.array(2)], outputs=2)
    with pytest.raises(ValueError, match="needs the attribute k"):
        operator("TopK", 1).run([SPECIAL], outputs=2)
    for row in (operator("ArgMax", 13), operator("TopK", 1)):
        for axis, method in ((2, row.run), (-3, row.run), (2**62, row.run), (2, row.evaluate)):
            with pytest.raises(np.exceptions.AxisError, match=rf"{row.name}: expected an axis in \[-2, 1\]"):
                method([SPECIAL], {"axis": axis} | ({"k": 1} if row.op_type == "TopK" else {}))
    for method in (operator("ArgMax", 13).run, operator("ArgMax", 13).evaluate):
        with pytest.raises(ValueError, match="expected elements along axis 1"):
            method([SPECIAL[:, :0]], {"axis": 1})


LOGITS = np.log(np.float32([[0.1, 0.2, 0.3, 0.4], [0.7, 0.3, 1, 1]]))
LOGITS[1, 2:] = -INF


@pytest.mark.parametrize("opset", [7, 22])
def test_samples_follow_the_probabilities(opset):
    row = operator("Multinomial", opset)
    attributes = {"seed": 0.5, "sample_size": 4000, "dtype": 7}
    (samples,) = row.run([LOGITS + 3], attributes)  # unnormalised: the constant is of no weight
    assert samples.dtype == np.int64
    assert samples.shape == (2, 4000)
    for drawn, p in zip(samples, [[0.1, 0.2, 0.3, 0.4], [0.7, 0.3, 0, 0]], strict=True):
        counts, expected = np.bincount(drawn, minlength=4), 4000 * np.array(p)
        assert not counts[expected == 0].any()
        # Five standard deviations of a binomial count; the seed is fixed, so this passes always or never.
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - np.array(p)))).all()
    np.testing.assert_array_equal(samples, row.evaluate([LOGITS], attributes)[0])


def test_a_seed_is_a_stream():
    row = operator("Multinomial", 22)
    draw = {"sample_size": 50}
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        x = np.zeros((3, 100), dtype)
        first, again, other = (row.run([x], {**draw, "seed": seed})[0] for seed in (1.0, 1.0, 1.5))
        assert first.dtype == np.int32
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()
        assert (row.run([x], draw)[0] != row.run([x], draw)[0]).any()
    for seed in (-1.0, 0.0, 1e300, NAN):  # beyond float32 it is infinite, which is as good a seed as others
        np.testing.assert_array_equal(*(row.run([x], {**draw, "seed": seed})[0] for _ in range(2)))


@pytest.mark.parametrize(
    ("x", "attributes", "message"),
    [
        (LOGITS[0], {}, r"shape \(batch, classes\)"),
        (LOGITS[:, :0], {}, r"classes > 0 \(got \(2, 0\)\)"),
        (LOGITS, {"dtype": 1}, r"6 \(int32\) or 7 \(int64\) \(got 1\)"),
        (LOGITS, {"sample_size": 0}, "sample_size of 1 or more"),
        (SPECIAL, {}, r"got nan as the largest of row 0"),
        (SPECIAL[2:], {}, r"got inf as the largest of row 0"),
        (np.full((1, 2), -np.float32(INF)), {}, r"got -inf as the largest of row 0"),
    ],
)
def test_what_multinomial_refuses(x, attributes, message):
    row = operator("Multinomial", 7)
    for method in (row.run, row.evaluate):
        with pytest.raises(ValueError, match=message):
            method([x], attributes)


@pytest.mark.parametrize(
    ("op_type", "name"), [("ArgMax", "axis"), ("ReduceLogSumExp", "axes"), ("TopK", "axis")]
)
def test_a_negative_axis_is_noted_where_the_text_does_not_speak_of_it(op_type, name):
    for row in operators():
        if row.op_type == op_type:
            schema = onnx.defs.get_schema(op_type, row.since_version, "")
            text = (schema.attributes.get(name) or schema.inputs[-1]).description
            noted = any("from the end" in note for note in row.notes)
            assert noted != bool(re.search(r"negative|\[-r, ?r-1\]", text.lower()))
