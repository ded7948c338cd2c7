"""What onnx's C++ raises is a ModelError with its words, wherever it is called."""

import ast
from functools import partial
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from softops.opset import ModelError, lint
from softops.opset.graph.by_onnx import check, check_types, infer, inline

ROOT = Path(__file__).parents[3]
# A model of ours is checked as it leaves; the backend and convert_version leave out of the check what ONNX allows.
_MAY_CHECK = (
    *("export/builder/checks.py", "export/surgery/opened.py"),
    *("opset/backend/checks.py", "opset/convert/version.py"),
)


def model(**changes):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"], **changes)], "g", values[:1], values[1:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_what_is_fine_goes_through():
    good = model()
    check(good)
    check_types(good)
    assert infer(good).graph.output[0].name == "y"
    assert inline(good).graph.node[0].op_type == "Softmax"


@pytest.mark.parametrize("number", [99, -(2**31), 2**31 - 1])
def test_an_element_type_that_is_none(number):
    odd = model()
    odd.graph.input[0].type.tensor_type.elem_type = number
    for function in (check_types, partial(infer, check_types=True)):
        with pytest.raises(ModelError, match=r"^expected a .*\(onnx\.\w+: .*\); export it again$"):
            function(odd)


def test_functions_that_the_inliner_cannot_bind():
    odd = model()
    odd.graph.node[0].CopyFrom(helper.make_node("F", ["x", "x", "x"], ["y"], domain="own"))
    odd.opset_import.add(domain="own", version=1)
    odd.functions.append(
        helper.make_function(
            "own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], odd.opset_import
        )
    )
    with pytest.raises(ModelError, match=r"onnx\.inliner: "):
        inline(odd)


@pytest.mark.parametrize("inputs", [[], [""], ["x"] * 6], ids=str)
@pytest.mark.parametrize("op_type", ["DictVectorizer", "ZipMap", "Softmax", "Gemm"])
def test_inputs_that_an_operator_cannot_do_without(op_type, inputs):
    """The inference of DictVectorizer ends the process where its input is left out; lint does without its types."""
    odd = model()
    domain = "ai.onnx.ml" if op_type in ("DictVectorizer", "ZipMap") else ""
    odd.graph.node[0].CopyFrom(helper.make_node(op_type, inputs, ["y"], domain=domain))
    odd.opset_import.add(domain="ai.onnx.ml", version=1)
    with pytest.raises(ModelError, match=rf"inputs of {op_type} '', and all that it needs \(got"):
        infer(odd)
    assert any("could not be inferred" in note for note in lint(odd).notes)


@pytest.mark.parametrize("package", ["opset", "export", "conformance", "cli"])
def test_onnx_is_asked_in_one_place(package):
    """Elsewhere its errors would come as they are."""
    for path in (ROOT / package).rglob("*.py"):
        name = str(path.relative_to(ROOT))
        called = {
            ast.unparse(node.func).rpartition("onnx.")[2]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        if name == "opset/graph/by_onnx.py":
            continue
        assert not any(call.startswith("inliner.") for call in called), name
        assert "shape_inference.infer_shapes" not in called, name
        assert "checker.check_model" not in called or name in _MAY_CHECK, name


ENCODE = 'ai.onnx.ml.LabelEncoder<keys_strings = ["a", "b"], values_int64s = [0, 1]>'
DECODE = 'ai.onnx.ml.LabelEncoder<keys_int64s = [0, 1], values_strings = ["a", "b"]>'


@pytest.mark.parametrize(
    ("graph", "types"),
    [
        (f"(float[N,4] x) => (int64[N] p) {{ s = own.Thing(x) p = {ENCODE}(s) }}", {"p": 7}),
        (
            "(float[N,4] x) => (y) { m = own.Thing(x) y = ai.onnx.ml.DictVectorizer<int64_vocabulary = [1]>(m) }",
            {"y": 0},
        ),
        (
            f"(string[N] x) => (p) {{ a = {ENCODE}(x) b = {DECODE}(a) p = {ENCODE}(b) }}",
            {"a": 7, "b": 8, "p": 7},
        ),
    ],
)
def test_what_ends_the_process_of_onnx_is_left_out_of_inference(graph, types):
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17, "own" : 1, "ai.onnx.ml" : 3]> net {graph}'
    )
    inferred = infer(model)
    values = [*inferred.graph.value_info, *inferred.graph.output]
    assert {value.name: value.type.tensor_type.elem_type for value in values} == types
    assert list(inferred.graph.node) == list(model.graph.node)
    assert inferred.opset_import == model.opset_import
