"""What cannot be a head is refused, by name, with nothing written."""

import ml_dtypes
import numpy as np
import pytest

from softops.export import classifier_head

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
WEIGHT64 = WEIGHT.astype(np.float64)
BIAS = np.zeros(2, np.float32)


def with_value(value, array=WEIGHT):
    changed = array.copy()
    changed.flat[1] = value
    return changed


CASES = {
    "vector": (ValueError, r"\(classes, features\).*got \(3,\)", {"weight": WEIGHT[0]}),
    "no classes": (ValueError, r"got \(0, 3\)", {"weight": WEIGHT[:0]}),
    "no features": (ValueError, r"got \(2, 0\)", {"weight": WEIGHT[:, :0]}),
    "ragged": (ValueError, "different lengths", {"weight": [[1.0], [1.0, 2.0]]}),
    "integers": (TypeError, "float16 or bfloat16.*int64", {"weight": WEIGHT.astype(int)}),
    "complex": (TypeError, "got complex64", {"weight": WEIGHT.astype(np.complex64), "dtype": "float32"}),
    "words": (TypeError, "got <U1", {"weight": [["a"]], "dtype": "float32"}),
    "objects": (TypeError, "got object", {"weight": np.array([[None]]), "dtype": "float32"}),
    "unknown dtype": (TypeError, "dtype float32, float64.*'int8'", {"dtype": "int8"}),
    "no dtype": (TypeError, "'softmax'", {"dtype": "softmax"}),
    "bfloat16 before 13": (ValueError, "opset 13.*got 12", {"dtype": ml_dtypes.bfloat16, "opset": 12}),
    "bfloat16 weight before 13": (
        ValueError,
        "opset 13.*got 12",
        {"weight": WEIGHT.astype(ml_dtypes.bfloat16), "opset": 12},
    ),
    "overflow in float16": (ValueError, "finite float16", {"weight": WEIGHT * 1e5, "dtype": "float16"}),
    "NaN": (ValueError, r"weight of finite.*nan at \[0, 1\]", {"weight": with_value(np.nan)}),
    "infinite": (ValueError, r"inf at \[0, 1\]", {"weight": with_value(np.inf)}),
    "overflow": (
        ValueError,
        "finite float32",
        {"weight": WEIGHT64 * 1e300, "dtype": "float32"},
    ),
    "NaN bias": (ValueError, r"bias of finite.*nan at \[1\]", {"bias": with_value(np.nan, BIAS)}),
    "long bias": (ValueError, r"shape \(2,\).*got \(3,\)", {"bias": WEIGHT[0]}),
    "column bias": (ValueError, r"got \(2, 1\)", {"bias": BIAS[:, None]}),
    "bias of integers": (TypeError, "got <U1", {"bias": ["a", "b"]}),
    "few labels": (ValueError, "2 labels.*got 1", {"labels": ["a"]}),
    "labels of rank 0": (TypeError, "single value", {"labels": np.array(3)}),
    "one string": (TypeError, "the string 'ab'", {"labels": "ab"}),
    "bytes, which are a list of integers": (TypeError, "got bytes", {"labels": b"ab"}),
    "a set, which has no order": (TypeError, "in the order of the classes .got set.", {"labels": {"a", "b"}}),
    "names by number": (TypeError, "got dict", {"labels": {0: "a", 1: "b"}}),
    "a number": (TypeError, "got int", {"labels": 2}),
    "half a character": (ValueError, "UTF-8.*udc80", {"labels": ["a", "\udc80"]}),
    "same label": (ValueError, "'a' more than once", {"labels": ["a", "a"]}),
    "mixed labels": (TypeError, "int, str", {"labels": ["a", 1]}),
    "float labels": (TypeError, "got float", {"labels": [0.0, 1.0]}),
    "boolean labels": (TypeError, "got bool", {"labels": [False, True]}),
    "huge labels": (ValueError, "int64", {"labels": [0, 2**64]}),
    "activation": (ValueError, "softmax, log_softmax, hardmax, none.*'relu'", {"activation": "relu"}),
    "old opset": (ValueError, "from 7 to .*got 6", {"opset": 6}),
    "future opset": (ValueError, "got 999", {"opset": 999}),
    "opset of text": (TypeError, "'17'", {"opset": "17"}),
    "opset of bool": (TypeError, "True", {"opset": True}),
    "taken name": (ValueError, "features|label", {"names": {"features": "label"}}),
    "no name": (ValueError, "''", {"names": {"features": ""}}),
    "no batch": (ValueError, "got 0", {"batch": 0}),
    "unnamed batch": (ValueError, "got ''", {"batch": ""}),
    "huge batch": (ValueError, "batch from 1 to", {"batch": 2**70}),
    "batch beyond 32 bits": (ValueError, "batch from 1 to 2147483647 .got 2147483648", {"batch": 2**31}),
    "half a batch": (TypeError, "got 1.5", {"batch": 1.5}),
}


@pytest.mark.parametrize("case", list(CASES))
def test_is_named_and_leaves_no_file(case, tmp_path):
    error, message, arguments = CASES[case]
    with pytest.raises(error, match=message) as raised:
        classifier_head(**{"weight": WEIGHT, **arguments}, path=tmp_path / "head.onnx")
    # Expected, got, and after the semicolon what to do.
    assert str(raised.value).startswith("expected ")
    assert ";" in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_fitting_labels_of_numpy_are_taken():
    for labels in (np.array(["a", "b"]), [np.str_("a"), "b"], np.array([3, 5], np.int32), [np.int64(3), 5]):
        assert classifier_head(WEIGHT, labels=labels).graph.output[0].name == "label"
