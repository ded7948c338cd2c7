"""Models that ONNX allows and onnx's checker does not take: the backend, the conversion and the lint do."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from softops.opset import ModelError, convert_version, lint
from softops.opset.backend import prepare
from softops.opset.reference import softmax

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


def model(inside, outside, *, domain="", shape=("n", 3, 4), op_type="Softmax"):
    """Softmax over axis 1 in a function that imports one opset, and after it in a model that imports another."""
    node = helper.make_node(op_type, ["a"], ["b"], axis=1, domain=domain)
    own = helper.make_function("own", "F", ["a"], ["b"], [node], [helper.make_opsetid(domain, inside)])
    nodes = [
        helper.make_node("F", ["x"], ["m"], domain="own"),
        helper.make_node("Softmax", ["m"], ["y"], axis=1, domain=domain),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    return helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]),
        functions=[own],
        opset_imports=[helper.make_opsetid(domain, outside), helper.make_opsetid("own", 1)],
        ir_version=8,
    )


def expected(inside, outside):
    y = X
    for opset in (inside, outside):
        rows = y if opset >= 13 else y.reshape(2, 12)
        y = softmax(rows, axis=1).reshape(X.shape).astype(np.float32)
    return y


def by_onnxruntime(proto):
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": X})[0]


@pytest.mark.parametrize(
    "options", [{"domain": "ai.onnx"}, {"shape": None}, {"domain": "ai.onnx", "shape": None}], ids=str
)
@pytest.mark.parametrize("opset", [11, 13])
def test_what_the_checker_does_not_take_runs_and_converts(opset, options):
    proto = model(opset, opset, **options)
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(proto)
    before = proto.SerializeToString()
    np.testing.assert_allclose(prepare(proto).run([X])[0], expected(opset, opset), rtol=1e-6)
    if "domain" not in options:  # in a function onnxruntime does not know the long name
        np.testing.assert_allclose(by_onnxruntime(proto), expected(opset, opset), rtol=1e-5)
    for target in (11, 13, 21):
        converted = convert_version(proto, target)
        np.testing.assert_allclose(prepare(converted).run([X])[0], expected(opset, opset), rtol=1e-6)
    assert proto.SerializeToString() == before


@pytest.mark.parametrize("opsets", [(11, 13), (13, 11)])
def test_a_function_that_contradicts_the_model(opsets):
    """ONNX forbids it and onnxruntime reads it by the model's opset; here it means what the function says."""
    inside, outside = opsets
    proto = model(*opsets)
    with pytest.raises(ModelError, match="FunctionOp imports version"):
        prepare(proto)
    np.testing.assert_allclose(prepare(proto, check=False).run([X])[0], expected(*opsets), rtol=1e-6)
    np.testing.assert_allclose(by_onnxruntime(proto), expected(outside, outside), rtol=1e-5)

    (warning,) = (warning for warning in lint(proto).warnings if warning.code == "function-opset")
    assert warning.where == "function own.F"
    assert f"ai.onnx {inside}" in warning.message
    assert f"`softops convert --opset {outside}`" in warning.cure
    cured = convert_version(proto, outside)
    assert "function-opset" not in {warning.code for warning in lint(cured).warnings}
    for y in (prepare(cured).run([X])[0], by_onnxruntime(cured)):
        np.testing.assert_allclose(y, expected(*opsets), rtol=1e-5)


def test_a_function_of_another_opset_that_means_the_same():
    proto = model(13, 17)
    np.testing.assert_allclose(prepare(proto).run([X])[0], expected(13, 17), rtol=1e-6)
    assert {warning.code for warning in lint(proto).warnings} == {"softmax-after-softmax"}


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_is_read_by_the_opset_of_the_place(domain):
    inner, outer = lint(model(11, 13, domain=domain)).nodes
    assert (inner.axis_rule, inner.works_along) == ("flatten", (1, 2))
    assert (outer.axis_rule, outer.works_along) == ("single", (1,))


def test_what_is_wrong_beside_it_is_still_found():
    with pytest.raises(ModelError, match="Softmux"):
        prepare(model(13, 13, shape=None, op_type="Softmux"))
    proto = model(13, 13, domain="ai.onnx")
    proto.graph.node.reverse()
    with pytest.raises(ModelError, match="sorted"):
        prepare(proto)


NAMES = list(itertools.product(("", "ai.onnx"), repeat=4))


@pytest.mark.parametrize(("outside", "inside", "node", "inner"), NAMES)
def test_either_name_of_the_domain_in_every_place(outside, inside, node, inner):
    proto = model(13, 13)
    (function,) = proto.functions
    places = (proto.opset_import[0], function.opset_import[0], proto.graph.node[-1], function.node[0])
    for place, name in zip(places, (outside, inside, node, inner), strict=True):
        assert not place.domain
        place.domain = name
    np.testing.assert_allclose(prepare(proto).run([X])[0], expected(13, 13), rtol=1e-6)
    assert [record.since_version for record in lint(proto).nodes] == [13, 13]
    np.testing.assert_allclose(prepare(convert_version(proto, 12)).run([X])[0], expected(13, 13), rtol=1e-6)
