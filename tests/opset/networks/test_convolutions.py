"""Convolutions of every rank and option beside torch and onnxruntime."""

import itertools

import numpy as np
import pytest
import verified

from softops.opset import ModelError
from softops.opset.networks import convolution

RANDOM = np.random.default_rng(8)
LENGTHS = {1: (11,), 2: (9, 8), 3: (6, 5, 7)}
OPTIONS = [
    (1, 4, 6, {}),
    (2, 4, 6, {"strides": 2}),
    (4, 4, 4, {"pads": 1}),
    (4, 4, 8, {"dilations": 2, "pads": 2}),
    (1, 1, 3, {"strides": 3, "pads": 1}),
]  # groups, channels in and out, and the rest


def run(op_type, inputs, **attributes):
    return verified.run(op_type, 22, inputs, **attributes)[0]


def given(rank, options):
    return {name: [value] * (2 * rank if name == "pads" else rank) for name, value in options.items()}


def named_by_torch(options):
    names = {"strides": "stride", "pads": "padding", "dilations": "dilation"}
    return {names.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize("rank", LENGTHS)
@pytest.mark.parametrize("case", OPTIONS, ids=str)
@pytest.mark.parametrize("columns", [1, convolution._COLUMNS], ids=["row by row", "at once"])
def test_convolutions_as_torch(rank, case, columns, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(convolution, "_COLUMNS", columns)
    groups, channels, out, options = case
    x = RANDOM.standard_normal((2, channels, *LENGTHS[rank]))
    w, b = RANDOM.standard_normal((out, channels // groups, *[3] * rank)), RANDOM.standard_normal(out)
    for inputs in ((x, w), (x, w, b)):
        tensors = [torch.from_numpy(a) for a in inputs]
        expected = getattr(torch.nn.functional, f"conv{rank}d")(
            *tensors, groups=groups, **named_by_torch(options)
        )
        y = run("Conv", list(inputs), group=groups, **given(rank, options))
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
        single = run("Conv", [a.astype(np.float32) for a in inputs], group=groups, **given(rank, options))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", LENGTHS)
@pytest.mark.parametrize("case", OPTIONS, ids=str)
def test_transposed_convolutions_as_torch(rank, case):
    torch = pytest.importorskip("torch")
    groups, channels, out, options = case
    x = RANDOM.standard_normal((2, channels, *LENGTHS[rank]))
    w, b = RANDOM.standard_normal((channels, out // groups, *[3] * rank)), RANDOM.standard_normal(out)
    extras = [{}] if options.get("strides", 1) == 1 else [{}, {"output_padding": 1}]
    for inputs, extra in itertools.product(((x, w), (x, w, b)), extras):
        tensors = [torch.from_numpy(a) for a in inputs]
        function = getattr(torch.nn.functional, f"conv_transpose{rank}d")
        expected = function(*tensors, groups=groups, **named_by_torch(options | extra))
        y = run("ConvTranspose", list(inputs), group=groups, **given(rank, options | extra))
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [3, 2]], ids=str)
def test_transposed_convolutions_of_a_given_size(mode, strides, onnxruntime_of):
    x = RANDOM.standard_normal((1, 2, 5, 4)).astype(np.float32)
    w = RANDOM.standard_normal((2, 3, 3, 3)).astype(np.float32)
    natural = [(n - 1) * stride + 3 for n, stride in zip(x.shape[2:], strides, strict=True)]
    calls = [{}] + [{"output_shape": [n - less for n in natural]} for less in (0, 1)]
    for options in calls:
        attributes = {"strides": strides, "auto_pad": mode, **options}
        (expected,) = onnxruntime_of("ConvTranspose", 11, [x, w], attributes)
        y = run("ConvTranspose", [x, w], **attributes)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", LENGTHS)
def test_padding_by_itself(rank, onnxruntime_of):
    x = RANDOM.standard_normal((2, 4, *LENGTHS[rank])).astype(np.float32)
    w = RANDOM.standard_normal((6, 2, *[3] * rank)).astype(np.float32)
    for mode, stride in itertools.product(("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2, 3)):
        attributes = {"auto_pad": mode, "strides": [stride] * rank, "group": 2}
        (expected,) = onnxruntime_of("Conv", 11, [x, w], attributes)
        np.testing.assert_allclose(run("Conv", [x, w], **attributes), expected, rtol=1e-5, atol=1e-5)


def test_channels_with_the_same_weights_come_out_the_same():
    x = RANDOM.standard_normal((1, 7, 13, 11)).astype(np.float32)
    w = np.repeat(RANDOM.standard_normal((1, 7, 3, 3)).astype(np.float32), 37, 0)
    y = run("Conv", [x, w])
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], 37, 1))


def test_weights_that_do_not_fit_are_refused():
    x, w = np.zeros((1, 3, 4), np.float32), np.zeros((2, 2, 3), np.float32)
    with pytest.raises(ModelError, match=r"weights of shape \[2, 2, 3\] in 1 groups do not fit"):
        run("Conv", [x, w])
    with pytest.raises(ModelError, match=r"weights of shape \[2, 2, 3\] in 1 groups do not fit"):
        run("ConvTranspose", [x, w])
    with pytest.raises(ModelError, match="leave nothing of"):
        run("ConvTranspose", [x, np.zeros((3, 2, 3), np.float32)], pads=[3, 3])
