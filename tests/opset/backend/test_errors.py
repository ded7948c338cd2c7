"""What is said about models that cannot be run, before the first run and in it."""

import numpy as np
import onnx
import pytest

from softops.opset import FeedError, ModelError, UnsupportedModelError, backend, convert_version, lint
from softops.opset.backend import prepare

X = np.zeros(3, np.float32)


def graph(body, inputs="float[3] x", outputs="float[3] y", opset=17):
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> agraph ({inputs}) => ({outputs}) {{ {body} }}'
    )


def test_unknown_operator():
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
        agraph (float[3] x) => (float[3] y) { y = com.example.Frobnicate (x) }
    """)
    with pytest.raises(UnsupportedModelError, match=r"Frobnicate.*com\.example"):
        prepare(model)
    assert not backend.is_compatible(model)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("y = Softmax (missing)", "missing"),
        ("t = Softmax (y) y = Softmax (t)", "topologically sorted"),
        ("y = Softmaxx (x)", "Softmaxx"),
        ("y = Softmax <color = 3> (x)", "color"),
    ],
)
def test_invalid_graph(body, reason):
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> agraph (float[3] x) => (float[3] y) {{ {body} }}'
    )
    with pytest.raises(ModelError, match=reason) as caught:
        prepare(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "inputs", "reason"),
    [
        ("y = Softmax (x)", "int32[3] x", r"Softmax.*unsupported type: tensor\(int32\)"),
        ("y = Add (x, z)", "float[3] x, int64[3] z", r"Add.*inconsistent type tensor\(int64\)"),
        ("c = Cast <to = 7> (x) y = LogSoftmax (c)", "float[3] x", r"LogSoftmax.*tensor\(int64\)"),
    ],
)
def test_wrong_types(body, inputs, reason):
    with pytest.raises(ModelError, match=reason) as caught:
        prepare(graph(body, inputs))
    assert "expected a valid model" in str(caught.value)


def test_wrong_types_in_a_model_that_nobody_checked():
    integers = graph("y = Softmax (x)", "int32[3] x")
    with pytest.raises(TypeError, match=r"Softmax-13 takes .*got int32"):
        prepare(integers, check=False).run([np.zeros(3, np.int32)])
    mixed = graph("y = Add (x, z)", "float[3] x, int64[3] z")
    with pytest.raises(ModelError, match=r"Add that gives 'y'.*float32\[3\], int64\[3\].*one dtype"):
        prepare(mixed, check=False).run([X, np.zeros(3, np.int64)])


@pytest.mark.parametrize("body", ["t = Softmax (y) y = Relu (t)", "y = Softmax (y)", "y = Add (x, nowhere)"])
def test_circles_and_names_that_nothing_makes(body):
    model = graph(body)
    for check in (True, False):
        with pytest.raises(ModelError, match=r"topologically sorted|expected a value named '(y|nowhere)'"):
            prepare(model, check=check)


def test_circle_in_a_branch():
    model = graph(
        "y = If (c) <then_branch = a () => (float[3] t) { t = Softmax (u) u = Relu (t) },"
        " else_branch = b () => (float[3] e) { e = Relu (x) }>",
        "bool c, float[3] x",
    )
    with pytest.raises(ModelError, match=r"expected a value named 'u'"):
        prepare(model, check=False)


@pytest.mark.parametrize(
    ("body", "inputs", "reason"),
    [
        ("y = MatMul (x, z)", "float[n] x, float[m] z", r"MatMul that gives 'y'.*float32\[3\], float32\[4\]"),
        ("y = Reshape (x, z)", "float[n] x, int64[m] z", r"Reshape.*cannot reshape array of size 3"),
        ("y = Gather (x, z)", "float[n] x, int64[m] z", r"Gather.*out of bounds"),
        ("y = Expand (x, z)", "float[n] x, int64[m] z", r"Expand"),
        ("y = CumSum (x, z)", "float[n] x, int64[m] z", r"CumSum"),
    ],
)
def test_nodes_that_do_not_fit_together(body, inputs, reason):
    rep = prepare(graph(body, inputs, "float[k] y"))
    other = np.float32([9, 9, 9, 9]) if "int64" not in inputs else np.int64([9, 9])
    with pytest.raises(ModelError, match=reason) as caught:
        rep.run([X, other])
    assert "\n" not in str(caught.value)
    assert "expected inputs that" in str(caught.value)


def test_the_name_of_the_node_is_told():
    model = graph("y = MatMul (x, x)", "float[n,m] x", "float[n,m] y")
    model.graph.node[0].name = "head/scores"
    with pytest.raises(ModelError, match=r"node 'head/scores' \(MatMul\)"):
        prepare(model).run([np.zeros((2, 3), np.float32)])


def test_missing_input():
    with pytest.raises(FeedError, match=r"named 'x', 'z' \(got 'x'\); add 'z'"):
        prepare(graph("y = Add (x, z)", "float[3] x, float[3] z")).run({"x": X})


def test_tensor_that_its_data_do_not_fill():
    model = graph("y = Add (x, w)")
    model.graph.initializer.append(onnx.TensorProto(name="w", data_type=1, dims=[3], raw_data=b"\0" * 8))
    for check in (True, False):
        with pytest.raises(ModelError, match=r"name: w\)|'w'"):
            prepare(model, check=check)


def test_domain_without_import():
    model = graph("y = Softmax (x)")
    model.graph.node[0].domain = "ai.onnx.ml"
    for check in (True, False):
        with pytest.raises(ModelError, match=r"ai\.onnx\.ml"):
            prepare(model, check=check)


def test_operator_before_its_first_opset():
    with pytest.raises(LookupError, match="SoftmaxCrossEntropyLoss expected an opset from 12"):
        prepare(
            graph("y = SoftmaxCrossEntropyLoss (x, t)", "float[n,c] x, int64[n] t", "float y", 11),
            check=False,
        )


def test_attributes_of_the_wrong_kind():
    model = graph('y = Softmax <axis = "last"> (x)')
    for check in (True, False):
        with pytest.raises((ModelError, TypeError)):
            prepare(model, check=check).run([X])


def sparse(indices, values=(5, 6)):
    model = graph("y = Add (x, w)", "float[2,3] x", "float[2,3] y")
    parts = [np.float32(values), np.int64(indices)]
    tensors = [onnx.numpy_helper.from_array(part, name) for part, name in zip(parts, ("w", "i"), strict=True)]
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(*tensors, [2, 3]))
    return model


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_initializers(indices):
    (y,) = prepare(sparse(indices)).run([np.ones((2, 3), np.float32)])
    assert y.tolist() == [[1, 6, 1], [1, 1, 7]]


@pytest.mark.parametrize("indices", [[1, 6], [-1, 2], [[0, 1], [2, 2]], [0, 1, 2]])
def test_sparse_initializers_that_are_wrong(indices):
    for check in (True, False):
        with pytest.raises(ModelError, match=r"indices|index|sparse"):
            prepare(sparse(indices), check=check)


def test_errors_of_a_family_node_that_nobody_foresaw():
    left_out = graph("y = Softmax (x)")
    left_out.graph.node[0].input[0] = ""
    with pytest.raises(ModelError, match=r"Softmax that gives 'y' can work on \(got nothing"):
        prepare(left_out, check=False).run([X])


def test_outputs_beyond_those_that_a_node_has():
    model = graph("y = Softmax (x)")
    model.graph.node[0].output.append("more")
    assert prepare(model, check=False).run([X])[0].shape == (3,)
    model.graph.node[0].output[1] = ""
    assert prepare(model, check=False).run([X])[0].shape == (3,)


LOOP = """
    y = Loop (n, c, x) <body = step (int64 i, bool go, float[3] v) => (bool on, float[3] w) {
        on = Identity (go) w = Softmax (v) }>
"""
SCAN = """
    y = Scan <num_scan_inputs = 1, body = step (float v) => (float w) { w = Relu (v) }> (x)
"""


@pytest.mark.parametrize(
    ("body", "change", "reason"),
    [
        (LOOP, lambda g: g.input.pop(), r"body of 3 inputs and at least 2 outputs in Loop.*\(got 2 and 2\)"),
        (LOOP, lambda g: g.output.pop(), r"body of 3 inputs and at least 2 outputs in Loop.*\(got 3 and 1\)"),
        (SCAN, lambda g: g.input.add(name="more"), r"body of 1 inputs.* in Scan.*\(got 2 and 1\)"),
    ],
)
def test_bodies_that_do_not_fit(body, change, reason):
    model = graph(body, "int64 n, bool c, float[3] x")
    prepare(model)
    (attribute,) = (a for a in model.graph.node[0].attribute if a.HasField("g"))
    change(attribute.g)
    with pytest.raises(ModelError, match=reason):
        prepare(model, check=False)


def test_more_scanned_inputs_than_there_are():
    with pytest.raises(ModelError, match=r"at most 1 scanned inputs in Scan .* \(got 3\)"):
        prepare(graph(SCAN.replace("num_scan_inputs = 1", "num_scan_inputs = 3")))


def own_functions(*bodies):
    """A model that calls the last of some functions, own.F0, own.F1, ..., of one input and one output."""
    functions = [
        f'<domain: "own", opset_import: ["" : 17, "own" : 1]> F{k} (a) => (b) {{ {body} }}'
        for k, body in enumerate(bodies)
    ]
    return onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> agraph (float[3] x) => (float[3] y) '
        f"{{ y = own.F{len(bodies) - 1} (x) }} {' '.join(functions)}"
    )


@pytest.mark.parametrize(
    "bodies",
    [["b = own.F0 (a)"], ["b = own.F1 (a)", "c = own.F0 (a) b = Relu (c)"]],
    ids=["itself", "circle"],
)
def test_functions_that_call_themselves(bodies):
    model = own_functions(*bodies)
    for check in (True, False):
        with pytest.raises(
            ModelError, match=r"functions that do not call themselves \(got own\.F\d calls own\.F\d"
        ):
            prepare(model, check=check)


def test_functions_that_call_functions_without_end():
    """Thirty functions, each of which calls the one before twice: three billion nodes, calls among them."""
    model = own_functions("b = Relu (a)", *(f"c = own.F{k} (a) b = own.F{k} (c)" for k in range(30)))
    message = r"comes to 100,000 nodes at most.*\(got 3,221,225,471\)"  # 3 * 2**30 - 1
    for check in (True, False):
        with pytest.raises(ModelError, match=message):
            prepare(model, check=check)
    with pytest.raises(ModelError, match=message):
        convert_version(model, 13)
    assert any("no shapes were inferred" in note for note in lint(model).notes)
    few = own_functions("b = Relu (a)", *(f"c = own.F{k} (a) b = own.F{k} (c)" for k in range(5)))
    assert prepare(few).run([X])[0].tolist() == [0, 0, 0]
