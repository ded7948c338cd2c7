"""What is told of a model's values beyond onnx's own inference, which goes forwards and believes declarations."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from softops.export import strip_head
from softops.opset import convert_version, lint
from softops.opset.graph.inference import infer_types
from softops.opset.graph.scopes import Scope
from softops.opset.graph.types import ValueType

N = helper.make_node
UNKNOWN = N("Mix", ["x"], ["s"], domain="com.example")  # of which nobody knows what it gives
SCALER = N("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0])


def value(name, shape=("N", 3), dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(*nodes, opset=13, inputs=(), outputs=None, functions=(), **constants):
    domains = {"": opset, "ai.onnx.ml": 1, "com.example": 1}
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [value("x"), *inputs], outputs or [value("y")], held)
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*entry) for entry in domains.items()],
        functions=functions,
        ir_version=8,
    )


def type_of(proto, name):
    graph = infer_types(proto).graph
    return Scope(graph, {"": 13}).value_type(name)


@pytest.mark.parametrize("first", [UNKNOWN, SCALER], ids=["unknown domain", "Scaler"])
@pytest.mark.parametrize(
    "op_type", ["Softmax", "LogSoftmax", "Sigmoid", "Identity", "Relu", "Dropout", "Exp"]
)
def test_through_what_keeps_type_and_shape(first, op_type):
    assert type_of(model(first, N(op_type, ["s"], ["y"])), "s") == ValueType("float32", ("N", 3))


def test_through_several_steps_and_a_transposition():
    nodes = [
        UNKNOWN,
        N("Transpose", ["s"], ["t"], perm=[1, 2, 0]),
        N("Softmax", ["t"], ["p"]),
        N("Log", ["p"], ["y"]),
    ]
    outputs = [value("y", ["b", "c", "a"], TensorProto.DOUBLE)]
    assert type_of(model(*nodes, outputs=outputs), "s") == ValueType("float64", ("a", "b", "c"))


def test_the_element_type_alone_where_the_shape_changes():
    nodes = [UNKNOWN, N("Flatten", ["s"], ["f"]), N("Softmax", ["f"], ["y"])]
    assert type_of(model(*nodes), "s") == ValueType("float32", None)
    assert type_of(model(*nodes), "f") == ValueType("float32", ("N", 3))


def test_no_shape_of_what_is_broadcast():
    """The slopes of a PRelu, and what is added, have the type of the result, not its shape."""
    for op_type in ("PRelu", "Add"):
        assert type_of(model(UNKNOWN, N(op_type, ["x", "s"], ["y"])), "s") == ValueType("float32", None)


def test_not_through_what_changes_the_type():
    nodes = [UNKNOWN, N("Cast", ["s"], ["y"], to=TensorProto.FLOAT)]
    assert type_of(model(*nodes), "s") == ValueType()
    nodes = [UNKNOWN, N("ArgMax", ["s"], ["y"], axis=1)]
    assert type_of(model(*nodes, outputs=[value("y", ["N", 1], TensorProto.INT64)]), "s") == ValueType()


def test_forwards_again_from_what_was_told():
    nodes = [UNKNOWN, N("Softmax", ["s"], ["y"]), N("Flatten", ["s"], ["f"], axis=0), N("Relu", ["f"], ["z"])]
    known = type_of(model(*nodes, outputs=[value("y", [2, 3]), value("z", None)]), "f")
    assert known == ValueType("float32", (1, 6))


def test_into_branches_and_out_of_them():
    then = helper.make_graph([N("Softmax", ["s"], ["a"])], "then", [], [onnx.ValueInfoProto(name="a")])
    mix = N("Mix", ["x"], ["m"], domain="com.example")
    other = helper.make_graph([mix, N("Sigmoid", ["m"], ["b"])], "else", [], [onnx.ValueInfoProto(name="b")])
    choice = N("If", ["c"], ["y"], then_branch=then, else_branch=other)
    proto = model(UNKNOWN, choice, inputs=[value("c", [], TensorProto.BOOL)])
    assert type_of(proto, "s") == ValueType("float32", ("N", 3))
    branches = {a.name: a.g for a in infer_types(proto).graph.node[1].attribute}
    assert Scope(branches["else_branch"], {"": 13}).value_type("m") == ValueType("float32", ("N", 3))


def test_in_the_call_of_a_function():
    body = [N("Mix", ["a"], ["m"], domain="com.example"), N("Softmax", ["m"], ["b"])]
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("com.example", 1)]
    function = helper.make_function("own", "F", ["a"], ["b"], body, imports)
    proto = model(N("F", ["x"], ["y"], domain="own"), functions=[function])
    proto.opset_import.append(helper.make_opsetid("own", 1))
    (record,) = lint(proto).nodes
    assert (record.dtype, record.shape) == ("float32", ("N", 3))


def test_who_asks():
    """strip_head has the type of the logits, lint no reason to warn of all that lies behind axis 1, and the
    conversion no need of a Flatten."""
    proto = model(SCALER, N("Softmax", ["s"], ["y"], axis=1), opset=12)
    assert lint(proto).warnings == ()
    assert strip_head(proto).graph.output[0] == value("s")
    assert [node.op_type for node in convert_version(proto, 13).graph.node] == ["Scaler", "Softmax"]


def test_what_an_operator_gives_counts_over_what_is_declared_of_it():
    reshaped = N("Reshape", ["x", "to"], ["y"])
    proto = model(reshaped, outputs=[value("y", [1, "n"])], to=np.array([-1, 3, 1]))
    assert type_of(proto, "y") == ValueType("float32", (None, 3, 1))
    assert (
        type_of(model(N("Relu", ["x"], ["y"]), outputs=[value("y", dtype=TensorProto.FLOAT16)]), "y").dtype
        == "float32"
    )
    # What is more exact, or what cannot be inferred, is believed.
    assert type_of(model(N("Relu", ["x"], ["y"]), outputs=[value("y", [8, 3])]), "y").shape == (8, 3)
    assert type_of(model(N("Mix", ["x"], ["y"], domain="com.example")), "y").shape == ("N", 3)


def test_a_negative_length_is_an_unknown_one():
    """onnx's inference counts with it: what is flattened would be of length -3."""
    proto = model(N("Flatten", ["x"], ["f"], axis=0), N("Softmax", ["f"], ["y"]), outputs=[value("y", None)])
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    assert type_of(proto, "f") == ValueType("float32", (1, None))
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == -1  # the model is left alone


@pytest.mark.parametrize("op_type", ["Scaler", "Normalizer"])
def test_floats_of_the_same_shape(op_type):
    """By their texts these give floats, and onnx infers nothing of them."""
    proto = model(
        N(op_type, ["x"], ["s"], domain="ai.onnx.ml"),
        N("MatMul", ["s", "w"], ["y"]),
        w=np.ones((3, 2), np.float32),
    )
    assert type_of(proto, "s") == ValueType("float32", ("N", 3))


@pytest.mark.parametrize("op_type", ["SVMClassifier", "TreeEnsembleClassifier", "LinearRegressor"])
def test_scores_are_floats_of_rank_2(op_type):
    outputs = ["l", "s"] if op_type.endswith("Classifier") else ["s"]
    proto = model(
        N(op_type, ["x"], outputs, domain="ai.onnx.ml", classlabels_ints=[0, 1]), N("Exp", ["s"], ["y"])
    )
    del proto.graph.output[:]
    proto.graph.output.append(value("y", None))
    assert type_of(proto, "s") == ValueType("float32", ("N", None))


def test_the_rank_of_what_is_reshaped_to_numbers_that_nobody_knows():
    """As many axes as there are numbers; a declaration of other ones is wrong."""
    lengths = [N("Shape", ["x"], ["n"]), N("Concat", ["n", "one"], ["to"], axis=0)]
    unknown = N("Mul", ["to", "to"], ["to2"])
    nodes = [*lengths, unknown, N("Reshape", ["x", "to2"], ["r"]), N("Relu", ["r"], ["y"])]
    proto = model(*nodes, outputs=[value("y", [1, "n"])], one=np.array([1]))
    assert type_of(proto, "r") == ValueType("float32", (None, None, None))
    assert type_of(proto, "y") == ValueType("float32", (None, None, None))
    assert [warning.code for warning in lint(proto).warnings] == ["contradiction"]


def test_a_large_constant_is_read_for_its_type_alone():
    proto = model(
        N("MatMul", ["x", "w"], ["y"]), w=np.ones((3, 2000), np.float32), outputs=[value("y", None)]
    )
    before = proto.SerializeToString()
    assert type_of(proto, "y") == ValueType("float32", ("N", 2000))
    graph = infer_types(proto).graph
    assert [given.name for given in graph.input] == ["x", "w"]
    assert not graph.initializer
    assert proto.SerializeToString() == before
