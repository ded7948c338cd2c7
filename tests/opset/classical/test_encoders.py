"""LabelEncoder, CategoryMapper and OneHotEncoder of every version and type, beside onnxruntime and the text."""

import itertools

import numpy as np
import onnx
import pytest
import verified

from softops.opset import ModelError
from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

KEYS = {"int64s": [3, 7, -2], "floats": [0.5, float("nan"), -1.5], "strings": ["a", "é", ""]}
VALUES = {"int64s": [30, 70, -20], "floats": [5.5, 6.5, 7.5], "strings": ["x", "y", "ö"]}
INPUTS = {
    "int64s": np.array([[7, 3], [0, -2]]),
    "floats": np.array([[np.nan, 0.5], [9, -1.5]], np.float32),
    "strings": np.array([["é", "a"], ["?", ""]], object),
}
DEFAULTS = {
    "int64s": ("default_int64", 99),
    "floats": ("default_float", 9.5),
    "strings": ("default_string", "none"),
}
USUAL = {"int64s": -1, "floats": 0.0, "strings": "_Unused"}


def run(op_type, x, version=1, **attributes):
    (y,) = verified.run(op_type, version, [x], domain="ai.onnx.ml", **attributes)
    return y


def assert_equal(actual, expected):
    assert actual.shape == expected.shape
    assert (actual.dtype.kind in "OU") == (expected.dtype.kind in "OU")
    if actual.dtype.kind not in "OU":
        assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("keys", "values"), [*itertools.product(KEYS, VALUES)])
@pytest.mark.parametrize("version", [2, 4])
def test_labels_of_every_kind(keys, values, version, onnxruntime_of):
    lists = {f"keys_{keys}": KEYS[keys], f"values_{values}": VALUES[values]}
    name, default = DEFAULTS[values]
    for given, otherwise in ((lists, USUAL[values]), (lists | {name: default}, default)):
        y = run("LabelEncoder", INPUTS[keys], version, **given)
        first, second, third = VALUES[values]
        assert y.tolist() == [[second, first], [otherwise, third]]
        if (keys, values) in {("int64s", "int64s"), ("floats", "floats")} and version == 2:
            continue  # onnxruntime has no implementation
        (theirs,) = onnxruntime_of("LabelEncoder", version, [INPUTS[keys]], given, domain="ai.onnx.ml")
        is_found = slice(
            1 if keys == "floats" and version == 2 else 0, None
        )  # onnxruntime finds no NaN at version 2
        assert_equal(y.ravel()[is_found], theirs.ravel()[is_found])


@pytest.mark.parametrize("key", ["int64", "int32", "int16", "float32", "float64", "object"])
@pytest.mark.parametrize("value", ["int64", "int32", "int16", "float32", "float64", "object"])
def test_labels_from_tensors(key, value):
    keys, values = np.array(["1", "2"] if key == "object" else [1, 2], key), np.array([5, 6], value)
    if value == "object":
        values = np.array(["u", "v"], object)
    x, missing = np.concatenate([keys[::-1], keys[:1]]), np.array(["0"] if key == "object" else [0], key)
    tensors = {
        "keys_tensor": onnx.numpy_helper.from_array(keys),
        "values_tensor": onnx.numpy_helper.from_array(values),
        "default_tensor": onnx.numpy_helper.from_array(values[1:]),
    }
    y = run("LabelEncoder", np.concatenate([x, missing]), 4, **tensors)
    assert_equal(y, np.concatenate([values[[1, 0, 0]], values[1:]]))
    del tensors["default_tensor"]
    usual = "_Unused" if value == "object" else 0 if value.startswith("float") else -1
    assert run("LabelEncoder", missing, 4, **tensors).tolist() == [usual]


def test_a_key_that_is_there_twice():
    # ai.onnx.ml@4::LabelEncoder: the last one takes precedence; versions before do not say
    given = {"keys_int64s": [1, 2, 1], "values_int64s": [10, 20, 30]}
    assert run("LabelEncoder", np.array([1, 2]), 4, **given).tolist() == [30, 20]
    node = onnx.helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", **given)
    assert not is_verified(node, {"ai.onnx.ml": 2})


def test_the_first_label_encoder(onnxruntime_of):
    names = {"classes_strings": ["a", "b", "c"]}
    for x in (np.array([2, 0, 3, -1]), np.array([["c", "?"], ["a", "b"]], object)):
        for given in (names, names | {"default_string": "none", "default_int64": 77}):
            y = run("LabelEncoder", x, 1, **given)
            (theirs,) = onnxruntime_of("LabelEncoder", 1, [x], given, domain="ai.onnx.ml")
            assert_equal(y, theirs)


def test_categories_both_ways(onnxruntime_of):
    given = {
        "cats_strings": ["a", "b", "c"],
        "cats_int64s": [4, -5, 6],
        "default_string": "none",
        "default_int64": 77,
    }
    for x in (np.array([[6, 4], [0, -5]]), np.array(["c", "?", "a"], object)):
        (theirs,) = onnxruntime_of("CategoryMapper", 1, [x], given, domain="ai.onnx.ml")
        assert_equal(run("CategoryMapper", x, **given), theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2)], ids=str)
def test_one_hot(dtype, shape, onnxruntime_of):
    x = np.array([3, 1, 8, 2]).reshape(shape).astype(dtype)
    given = {"cats_int64s": [1, 2, 3]}
    y = run("OneHotEncoder", x, **given)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x[..., None] == [1, 2, 3])
    if dtype != np.int32:  # of which onnxruntime has no implementation
        (theirs,) = onnxruntime_of("OneHotEncoder", 1, [x], given, domain="ai.onnx.ml")
        np.testing.assert_array_equal(y, theirs)


def test_one_hot_of_text_and_of_cut_off_floats():
    y = run("OneHotEncoder", np.array(["b", "?", "a"], object), cats_strings=["a", "b"])
    assert y.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert run("OneHotEncoder", np.float32([1.9, -0.5]), cats_int64s=[0, 1]).tolist() == [[0, 1], [1, 0]]


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="a category was not found, and zeros=0"):
        run("OneHotEncoder", np.array([5]), cats_int64s=[1], zeros=0)
    for message, given in {
        "expected as many values as keys": {"keys_int64s": [1, 2], "values_int64s": [1]},
        r"expected values_\* in a LabelEncoder": {"keys_int64s": [1, 2]},
    }.items():
        node = onnx.helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", **given)
        with pytest.raises(ModelError, match=message):
            run_node(node, [np.array([1])], opset_version=4)
    node = onnx.helper.make_node(
        "CategoryMapper", ["x"], ["y"], domain="ai.onnx.ml", cats_int64s=[1], cats_strings=["a", "b"]
    )
    with pytest.raises(ModelError, match="expected as many strings as integers"):
        run_node(node, [np.array([1])])
