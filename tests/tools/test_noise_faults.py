"""Planted faults are what they are called: each compared with the formula of the fault, in onnxruntime."""

from functools import partial
from random import Random

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tools.noise import faults
from tools.noise.planted import shapes_of
from tools.noise.sites import copied

RANDOM = np.random.default_rng(0)


def model(nodes, shape, outputs=("y",), opset=20, **initializers):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            numpy_helper.from_array(np.asarray(array, np.float32), name)
            for name, array in initializers.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def ran(proto, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, {"x": x})[0]


def with_fault(fault, proto, x, seed=0):
    faulty = copied(proto)
    assert fault(faulty, shapes_of(proto, {"x": x}), Random(seed))
    return faulty


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("node", "weight", "axis"),
    [
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (6, 5), 1),
        (helper.make_node("Gemm", ["x", "w"], ["y"]), (6, 5), 1),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), (5, 6), 0),
    ],
    ids=["MatMul", "Gemm", "transB"],
)
def test_one_output_of_a_product_is_two_percent_larger(node, weight, axis):
    x = normal(4, 6)
    right = model([node], [4, 6], w=normal(*weight))
    ratio = ran(with_fault(faults.weight_row, right, x), x) / ran(right, x)
    larger = np.abs(ratio - 1.02) < 1e-4
    assert larger.any(0).sum() == 1
    assert larger.all(0).sum() == 1
    np.testing.assert_allclose(ratio[:, ~larger.all(0)], 1, rtol=1e-6)


def test_one_channel_of_a_convolution_is_two_percent_larger():
    x = normal(2, 3, 6, 6)
    right = model([helper.make_node("Conv", ["x", "w"], ["y"])], [2, 3, 6, 6], w=normal(4, 3, 3, 3))
    ratio = ran(with_fault(faults.weight_row, right, x), x) / ran(right, x)
    assert (np.abs(ratio - 1.02) < 1e-3).all((0, 2, 3)).sum() == 1


@pytest.mark.parametrize(("to", "dtype"), [(TensorProto.FLOAT16, np.float16), (TensorProto.BFLOAT16, None)])
def test_a_sum_is_rounded_to_a_narrower_type(to, dtype):
    x = normal(4, 6)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Neg", ["h"], ["y"])]
    right = model(nodes, [4, 6], w=normal(6, 5))
    narrow = ran(with_fault(partial(faults.sum_in, to), right, x), x)
    assert (narrow != ran(right, x)).any()
    bits = narrow.view(np.uint32)
    if dtype is None:
        assert (bits & 0xFFFF == 0).all()
    else:
        np.testing.assert_array_equal(narrow, ran(right, x).astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("spelled_out", "attributes"),
    [(True, {}), (False, {}), (False, {"approximate": "none"})],
    ids=["Erf", "Gelu", "none"],
)
def test_gelu_by_tanh(spelled_out, attributes):
    x = np.linspace(-5, 5, 101, dtype=np.float32)
    if spelled_out:
        nodes = [
            helper.make_node("Div", ["x", "root"], ["u"]),
            helper.make_node("Erf", ["u"], ["e"]),
            helper.make_node("Add", ["e", "one"], ["f"]),
            helper.make_node("Mul", ["x", "f"], ["g"]),
            helper.make_node("Mul", ["g", "half"], ["y"]),
        ]
        right = model(nodes, [101], opset=13, root=np.sqrt(2), one=1, half=0.5)
    else:
        right = model([helper.make_node("Gelu", ["x"], ["y"], **attributes)], [101])
    wide = x.astype(np.float64)
    bent = wide / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))
    np.testing.assert_allclose(ran(with_fault(faults.gelu_by_tanh, right, x), x), bent, rtol=1e-5, atol=1e-6)
    assert np.abs(ran(right, x) - bent).max() > 1e-4


@pytest.mark.parametrize(("value", "now", "then"), [(1e-6, 1e-3, 1e-6), (1e-6, 1e-6, 1e-5), (0.0, 1e-3, 0.0)])
@pytest.mark.parametrize("spelled_out", [True, False], ids=["spelled out", "LayerNormalization"])
def test_epsilon(spelled_out, value, now, then):
    x = 0.01 * normal(5, 16)
    if spelled_out:
        nodes = [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[-1]),
            helper.make_node("Sub", ["x", "m"], ["c"]),
            helper.make_node("Mul", ["c", "c"], ["s"]),
            helper.make_node("ReduceMean", ["s"], ["v"], axes=[-1]),
            helper.make_node("Add", ["v", "eps"], ["a"]),
            helper.make_node("Sqrt", ["a"], ["r"]),
            helper.make_node("Div", ["c", "r"], ["y"]),
        ]
        right = model(nodes, [5, 16], opset=13, eps=now)
    else:
        node = helper.make_node("LayerNormalization", ["x", "scale"], ["y"], epsilon=now)
        right = model([node], [5, 16], scale=np.ones(16))
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    wrong = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + then)
    np.testing.assert_allclose(
        ran(with_fault(partial(faults.epsilon, value), right, x), x), wrong, rtol=1e-4, atol=1e-5
    )


def test_a_square_weight_is_turned():
    x, w = normal(4, 6), normal(6, 6)
    right = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [4, 6], w=w)
    np.testing.assert_allclose(
        ran(with_fault(faults.swapped_axis, right, x), x), x @ w.T, rtol=1e-4, atol=1e-5
    )


def test_axes_of_a_transpose_are_swapped():
    x = normal(2, 3, 3)
    right = model([helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2])], [2, 3, 3])
    # Of x's axes 1 and 2, which are equal, each now goes where the other went.
    assert shapes_of(right, {"x": x}) == {"y": (3, 2, 3)}
    faulty = copied(right)
    assert faults.swapped_axis(faulty, {"x": x.shape}, Random(0))
    np.testing.assert_array_equal(ran(faulty, x), x.transpose(2, 0, 1))


def test_a_square_map_is_turned():
    x = normal(1, 3, 6, 6)
    right = model([helper.make_node("Conv", ["x", "w"], ["y"])], [1, 3, 6, 6], w=normal(4, 3, 3, 3))
    np.testing.assert_array_equal(
        ran(with_fault(faults.swapped_axis, right, x), x), ran(right, x).transpose(0, 1, 3, 2)
    )


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_another_mode_of_resizing(mode):
    other = {"linear": "nearest", "nearest": "linear"}[mode]
    x = normal(1, 2, 4, 4)

    def resized(mode):
        node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode=mode)
        return model([node], [1, 2, 4, 4], scales=[1, 1, 2, 2])

    np.testing.assert_array_equal(
        ran(with_fault(faults.resize_mode, resized(mode), x), x), ran(resized(other), x)
    )


@pytest.mark.parametrize("fault", faults.OF_MODELS.values(), ids=faults.OF_MODELS)
def test_a_model_without_a_place_for_it_is_left_alone(fault):
    right = model([helper.make_node("Relu", ["x"], ["y"])], [3])
    faulty = copied(right)
    assert not fault(faulty, {"x": (3,), "y": (3,)}, Random(0))
    assert faulty == right


def test_one_element_is_moved():
    right = [np.arange(3), normal(4, 5)]
    labels, moved = faults.one_element(right, Random(0))
    np.testing.assert_array_equal(labels, right[0])
    difference = np.abs(moved - right[1])
    assert (difference > 0).sum() == 1
    assert difference.max() == pytest.approx(3e-4, rel=1e-2)


def test_outputs_are_rounded_to_half():
    right = [normal(4, 5), np.arange(3)]
    half, labels = faults.through_half(right, Random(0))
    np.testing.assert_array_equal(half, right[0].astype(np.float16))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(labels, right[1])
    assert faults.through_half([np.arange(3)], Random(0)) is None
