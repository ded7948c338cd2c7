"""Noisy runs of graphs: what is exact, and control flow beside the backend."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from softops.opset.backend import prepare
from softops.opset.rounding.run import run_noisy

RANDOM = np.random.default_rng(8)


def noisy(model, feeds, samples=8):
    found = {}
    run_noisy(model, feeds, lambda name, _, value: found.update({name: value}), samples=samples, seed=0)
    return found


def loop_model():
    body = parser.parse_graph(
        """body (int64 i, bool go, float[3] s) => (bool goes, float[3] t, float[3] out) {
            t = Exp(s)
            goes = Identity(go)
            out = Neg(t)
        }"""
    )
    node = helper.make_node("Loop", ["rounds", "", "x"], ["last", "all"], body=body)
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("last", "all")]
    held = [numpy_helper.from_array(np.array(3), "rounds")]
    return helper.make_model(
        helper.make_graph([node], "g", given, made, held),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


def scan_model(back):
    body = parser.parse_graph(
        """body (float[2] s, float[2] x) => (float[2] t, float[2] out) {
            t = Add(s, x)
            out = Tanh(t)
        }"""
    )
    node = helper.make_node(
        *("Scan", ["start", "x"], ["last", "all"]),
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_input_directions=[back],
        scan_output_axes=[1],
        scan_output_directions=[back],
    )
    given = [
        helper.make_tensor_value_info("start", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 7]),
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("last", "all")]
    return helper.make_model(
        helper.make_graph([node], "g", given, made),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )


@pytest.mark.parametrize("model", [loop_model(), scan_model(0), scan_model(1)], ids=["Loop", "Scan", "back"])
def test_control_flow_beside_the_backend(model):
    feeds = {
        value.name: RANDOM.normal(size=[dim.dim_value for dim in value.type.tensor_type.shape.dim]).astype(
            np.float32
        )
        / 4
        for value in model.graph.input
    }
    found = noisy(model, feeds)
    for name, ours in zip(("last", "all"), prepare(model).run(feeds), strict=True):
        value = found[name]
        assert value.exact.shape == ours.shape
        np.testing.assert_allclose(ours, value.exact, rtol=1e-5)
        assert all(np.any(copy != value.exact) for copy in value.copies)


def test_layout_and_powers_of_two_add_no_noise():
    model = parser.parse_model(
        """<ir_version: 9, opset_import: ["": 18]>
        g (float[4, 6] x) => (float[N, M] y, float[N, M] z) <float two = {2}> {
            t = Transpose(x)
            r = Relu(t)
            y = Mul(r, two)
            z = Mul(y, r)
        }"""
    )
    found = noisy(model, {"x": RANDOM.normal(size=(4, 6)).astype(np.float32)})
    assert found["y"].copies is None
    assert found["z"].copies is not None


def test_functions_of_the_model_are_run_node_by_node():
    model = parser.parse_model(
        """<ir_version: 9, opset_import: ["": 18, "own": 1]>
        g (float[5] x) => (float[N] y) { y = own.twice(x) }
        <domain: "own", opset_import: ["": 18]>
        twice (a) => (c) {
            b = Exp(a)
            c = Exp(b)
        }"""
    )
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    found = noisy(model, {"x": x})["y"]
    np.testing.assert_array_equal(found.exact, np.exp(np.exp(x.astype(np.float64))))
    assert found.dtype == np.float32
    assert (found.variance() > 0).all()


def test_labels_hang_on_rounding_beside_a_tie_alone():
    model = parser.parse_model(
        """<ir_version: 9, opset_import: ["": 18]>
        g (float[N, 3] x) => (int64[N] label) {
            y = Exp(x)
            label = ArgMax<axis = 1, keepdims = 0>(y)
        }"""
    )
    x = np.array([[1, 1 + 2e-7, 0], [1, 1.001, 0]], np.float32)
    assert noisy(model, {"x": x})["label"].undecided.tolist() == [True, False]


def test_an_input_that_is_an_output_is_told_of_though_nodes_read_it():
    model = parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18]>
        g (float[3] x) => (float[3] x, float[3] y) { y = Exp(x) }
    """)
    x = np.float32([1, 2, 3])
    np.testing.assert_array_equal(noisy(model, {"x": x})["x"].exact, x)
