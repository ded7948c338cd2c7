"""Normalizations of every rank, beside torch, onnxruntime and the formulas."""

import numpy as np
import onnx
import pytest
from verified import run

from softops.opset.backend import prepare

RANDOM = np.random.default_rng(12)
SHAPES = [(2, 6, 5), (2, 6, 5, 4), (2, 6, 3, 4, 2)]


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_onnxruntime(shape, assert_as_onnxruntime):
    x, channels = numbers(*shape), [numbers(6), numbers(6)]
    for epsilon in ({}, {"epsilon": 0.1}):
        assert_as_onnxruntime("InstanceNormalization", 6, [x, *channels], epsilon)
        for axis in (1, -1):
            scale = [numbers(*shape[axis:]), numbers(*shape[axis:])]
            for outputs in (1, 2, 3):
                assert_as_onnxruntime(
                    "LayerNormalization", 17, [x, *scale], {"axis": axis, **epsilon}, outputs
                )
            assert_as_onnxruntime("LayerNormalization", 17, [x, scale[0]], {"axis": axis, **epsilon})
    for axis, p in ((1, 1), (1, 2), (-1, 1), (-1, 2)):
        assert_as_onnxruntime("LpNormalization", 1, [x], {"axis": axis, "p": p})


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_torch_in_float64(shape):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x, scale, bias = (RANDOM.standard_normal(s) for s in (shape, 6, 6))
    tensors = [torch.from_numpy(a) for a in (x, scale, bias)]
    for groups in (1, 2, 3, 6):
        expected = functional.group_norm(tensors[0], groups, *tensors[1:])
        (y,) = run("GroupNormalization", 21, [x, scale, bias], num_groups=groups)
        np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-11)
        each = 6 // groups
        of_groups = [np.ascontiguousarray(a[::each]) for a in (scale, bias)]
        y = first_group_normalization(x, *of_groups, groups)
        same = [torch.from_numpy(np.repeat(a, each)) for a in of_groups]
        np.testing.assert_allclose(y, functional.group_norm(tensors[0], groups, *same), rtol=1e-9, atol=1e-11)
    (y,) = run("InstanceNormalization", 6, [x, scale, bias])
    np.testing.assert_allclose(
        y, functional.instance_norm(tensors[0], None, None, *tensors[1:]), rtol=1e-9, atol=1e-11
    )
    for size in (1, 2, 3, 4, 9):
        # torch has one more before than behind where the size is even, ONNX the other way round
        flipped = torch.flip(tensors[0], [1])
        expected = torch.flip(functional.local_response_norm(flipped, size, 0.1, 0.5, 2.0), [1])
        (y,) = run("LRN", 13, [x], size=size, alpha=0.1, beta=0.5, bias=2.0)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-8)
    weight = RANDOM.standard_normal(shape[-1])
    (y,) = run("RMSNormalization", 23, [x, weight], epsilon=1e-6)
    expected = functional.rms_norm(tensors[0], [shape[-1]], torch.from_numpy(weight), 1e-6)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-9)
    for p in (1, 2):
        (y,) = run("LpNormalization", 1, [x], axis=1, p=p)
        np.testing.assert_allclose(y, functional.normalize(tensors[0], p, 1), rtol=1e-12)


def first_group_normalization(x, scale, bias, groups):
    """Of version 18, which is deprecated: no checker lets it pass."""
    node = onnx.helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=groups)
    arrays = {"x": x, "s": scale, "b": bias}
    types = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, a.shape)
        for name, a in arrays.items()
    ]
    graph = onnx.helper.make_graph([node], "g", types, [onnx.ValueInfoProto(name="y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return prepare(model, check=False).run(arrays)[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batches_in_training_as_torch(shape):
    torch = pytest.importorskip("torch")
    x, scale, bias, mean = (RANDOM.standard_normal(s) for s in (shape, 6, 6, 6))
    variance = RANDOM.uniform(0.5, 2, 6)
    count = x.size // 6
    running = [torch.from_numpy(a.copy()) for a in (mean, variance)]
    expected = torch.nn.functional.batch_norm(
        torch.from_numpy(x),
        *running,
        torch.from_numpy(scale),
        torch.from_numpy(bias),
        training=True,
        momentum=0.25,
    )
    for opset in (14, 15):
        inputs = [x, scale, bias, mean, variance]
        y, new_mean, new_variance = run(
            "BatchNormalization", opset, inputs, 3, training_mode=1, momentum=0.75
        )
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(new_mean, running[0], rtol=1e-6, atol=1e-6)
        # torch's running variance is of a sample, ONNX's of the whole
        of_sample = (new_variance - 0.75 * variance) * count / (count - 1) + 0.75 * variance
        np.testing.assert_allclose(of_sample, running[1], rtol=1e-6)


def test_nothing_but_zeros_has_no_norm():
    assert run("LpNormalization", 1, [np.zeros((2, 3), np.float32)])[0].tolist() == [[0] * 3] * 2
    y = run("LpNormalization", 1, [np.array([[3e200, 4e200]])])[0]
    np.testing.assert_allclose(y, [[0.6, 0.8]], rtol=1e-14)


def test_mean_and_variance_over_images(assert_as_onnxruntime):
    assert_as_onnxruntime("MeanVarianceNormalization", 13, [numbers(2, 6, 5, 4)], {})
    assert_as_onnxruntime("MeanVarianceNormalization", 13, [numbers(2, 6, 5)], {"axes": [0, 2]})


def test_factors_of_several_rows_and_of_another_dtype():
    """A scale that broadcasts to all of x, and one of another dtype; statistics in the dtype that is asked for."""
    x = numbers(3, 4, 5)
    plain = run("LayerNormalization", 17, [x, np.ones(5, np.float32)])[0]
    for scale in (numbers(3, 4, 5), numbers(4, 1), numbers(1)):
        (y,) = run("LayerNormalization", 17, [x, scale])
        np.testing.assert_allclose(y, plain * scale, rtol=1e-6, atol=1e-7)
    scale = numbers(5).astype(np.float16)
    (y,) = run("RMSNormalization", 23, [x, scale], epsilon=1e-6)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-6) * scale
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    node = onnx.helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean", "inverse"], stash_type=1)
    halves = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT16, None) for name in "xsy"]
    floats = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("mean", "inverse")
    ]
    graph = onnx.helper.make_graph([node], "norm", halves[:2], [halves[2], *floats])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    y, mean, inverse = prepare(model).run([x.astype(np.float16), np.ones(5, np.float16)])
    assert (y.dtype, mean.dtype, mean.shape, inverse.dtype) == (np.float16, np.float32, (3, 4, 1), np.float32)
    np.testing.assert_allclose(
        mean[..., 0], x.astype(np.float16).astype(float).mean(-1), rtol=1e-6, atol=1e-7
    )
