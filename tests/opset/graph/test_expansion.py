"""What functions and graphs within each other come to: counted, never followed, and refused by every reader."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from softops.conformance import validate
from softops.export import append_head, decompose, fuse, strip_head
from softops.opset import ModelError, convert_version, lint, load_model
from softops.opset.backend import prepare
from softops.opset.graph.expansion import MOST_CALLS_DEEP, MOST_GRAPHS_DEEP, Expansion, expansion

OWN = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
N = helper.make_node

READERS = {
    "load_model": load_model,
    "prepare": lambda model: prepare(model, check=False),
    "convert_version": lambda model: convert_version(model, 12),
    "validate": validate,
    "fuse": fuse,
    "strip_head": strip_head,
    "append_head": lambda model: append_head(model, "softmax"),
    "decompose": lambda model: decompose(model, ["Softmax"]),
}


def floats(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])


def model(*nodes, functions=()):
    graph = helper.make_graph(list(nodes), "g", [floats("x")], [floats("y")])
    return helper.make_model(graph, functions=functions, opset_imports=OWN, ir_version=8)


def function(name, *nodes):
    return helper.make_function("own", name, ["a"], ["b"], list(nodes), OWN)


def calls_of(name, number, last="b"):
    """Calls of a function, each of what the one before made."""
    names = ["a", *(f"t{k}" for k in range(1, number)), last]
    return [N(name, [names[k]], [names[k + 1]], domain="own") for k in range(number)]


def multiplying(levels, times=2):
    """Functions F0, F1, …, of which each calls the one before so many times."""
    bodies = [[N("Softmax", ["a"], ["b"])], *(calls_of(f"F{k}", times) for k in range(levels))]
    functions = [function(f"F{k}", *body) for k, body in enumerate(bodies)]
    return model(N(f"F{levels}", ["x"], ["y"], domain="own"), functions=functions)


def branches(depth, innermost):
    """An If in the branch of an If, ``depth`` of them, around a node that makes ``y``."""
    node = innermost
    for _ in range(depth):
        graph = helper.make_graph([node], "branch", [], [floats(node.output[0])])
        node = N(
            "If", ["c"], [node.output[0]], then_branch=graph, else_branch=helper.make_graph([], "e", [], [])
        )
    return node


def test_nodes_are_counted_at_each_call():
    # Softmax, then 3 calls of it, then 3 calls of those, and the call in the graph.
    assert expansion(multiplying(2, times=3)) == Expansion(1 + 3 + 3 * (3 + 3), 1, 3)


def test_graphs_are_counted_through_calls():
    inner = function("F", branches(2, N("Softmax", ["a"], ["b"])))
    found = expansion(model(branches(3, N("F", ["x"], ["y"], domain="own")), functions=[inner]))
    assert (found.graphs_deep, found.calls_deep) == (6, 1)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_functions_that_multiply_are_refused(reader):
    """Whoever followed them would never come back."""
    asked = multiplying(40)
    assert asked.ByteSize() < 4000
    with pytest.raises(
        ModelError, match=r"comes to 100,000 nodes at most.*\(got more than 1,000,000,000,000\)"
    ):
        reader(asked)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_calls_that_lie_deep_are_refused(reader):
    with pytest.raises(ModelError, match=rf"up to {MOST_CALLS_DEEP} deep \(got 3001\)"):
        reader(multiplying(3000, times=1))


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_functions_that_call_themselves_are_refused(reader):
    circle = [function("F", *calls_of("G", 1)), function("G", *calls_of("F", 1))]
    with pytest.raises(
        ModelError, match=r"do not call themselves \(got own\.\w calls own\.\w calls own\.\w\)"
    ):
        reader(model(N("F", ["x"], ["y"], domain="own"), functions=circle))


def test_lint_reads_such_functions_as_far_as_it_goes():
    for asked, said in (
        (multiplying(40), "comes to 100,000 nodes"),
        (multiplying(3000, times=1), "deep in each other"),
    ):
        assert any(said in note for note in lint(asked).notes)


def test_as_many_as_are_allowed_are_followed():
    deep = multiplying(MOST_CALLS_DEEP - 1, times=1)
    assert len(lint(deep).nodes) == 1
    assert prepare(deep).run([np.zeros((1, 3), np.float32)])[0].sum() == pytest.approx(1)
    onnx.checker.check_model(convert_version(deep, 12))


@pytest.mark.parametrize("reader", [*READERS.values(), lint], ids=[*READERS, "lint"])
def test_graphs_that_lie_deep_are_refused(reader):
    with pytest.raises(ModelError, match=rf"up to {MOST_GRAPHS_DEEP} deep.*\(got {MOST_GRAPHS_DEEP + 1}\)"):
        reader(model(branches(MOST_GRAPHS_DEEP, N("Softmax", ["x"], ["y"]))))


def test_graphs_as_deep_as_allowed_are_read_back_by_protobuf():
    nested = model(branches(MOST_GRAPHS_DEEP - 1, N("Softmax", ["x"], ["y"])))
    assert len(lint(nested.SerializeToString()).nodes) == 1


def test_a_file_deeper_than_protobuf_reads_is_no_model():
    content = model(branches(29, N("Softmax", ["x"], ["y"]))).graph.SerializeToString()
    for _ in range(20):  # by hand: protobuf makes no such message either
        content = field(1, field(5, field(6, content)))
    header = onnx.ModelProto(ir_version=8, opset_import=OWN).SerializeToString()
    with pytest.raises(ModelError, match="too deep in each other"):
        load_model(header + field(7, content))


def field(number, content):
    """A message as a field of another: its number, how long it is, the message."""
    length, left = b"", len(content)
    while left > 127:
        length, left = length + bytes([left % 128 + 128]), left // 128
    return bytes([number * 8 + 2]) + length + bytes([left]) + content
