"""
The suites that onnx itself ships: all node tests, the sets converted from PyTorch, the simple and the light models.

One file, so that a single worker makes the node tests, which takes onnx ten seconds and more.
"""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner
from onnx.reference import ReferenceEvaluator

from softops.opset import UnsupportedModelError, operator
from softops.opset.backend import prepare

FAMILY = re.compile(
    r"test_(softmax|logsoftmax|hardmax|sigmoid|softplus|sce|nllloss|reduce_log_sum_exp|attention|argmax|top_k)(_|$)"
)
# How many cases onnx 1.23 has; later ones have more, and the set of an older one is what it is.
NODE, IN_FAMILY = (1884, 386) if onnx.defs.onnx_opset_version() >= 28 else (1, 1)

RANDOM = "draws from a generator of its own: nobody can have the values that the case was made with"
ROUNDED_ON_THE_WAY = (
    "the expected value is the single node's in float16; the body rounds every step to float16, and two of 192 "
    "numbers come out an ULP apart: see test_the_float16_body_is_nearer_to_the_exact_value"
)
FRACTIONAL_LENGTH = (
    "align_corners divides by length_resized - 1, by the text the length of the resized tensor, as onnxruntime and "
    "torch take it; the case was made with length times scale, 2.4 and 3.2 where the tensors are 2 and 3 long"
)
EXCEPTIONS = {
    "test_resize_downsample_scales_linear_align_corners": FRACTIONAL_LENGTH,
    "test_resize_downsample_scales_cubic_align_corners": FRACTIONAL_LENGTH,
    "test_attention_4d_causal_fp16_expanded": ROUNDED_ON_THE_WAY,
    **{
        f"test_bernoulli{kind}{body}": RANDOM
        for kind in ("", "_double", "_seed")
        for body in ("", "_expanded")
    },
}
UNSUPPORTED = {
    "test_gradient_of_add": "Gradient, of the training preview, asks for derivatives of other nodes",
    "test_gradient_of_add_and_mul": "as above",
}


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def assert_similar(expected, actual, case):
    """onnx's own comparison, which does not descend into lists of lists or to arrays of rank 0 in them."""
    if isinstance(expected, list | tuple):
        assert isinstance(actual, list | tuple)
        assert len(actual) == len(expected)
        for item, own in zip(expected, actual, strict=True):
            assert_similar(item, own, case)
    else:
        Runner.assert_similar_outputs([expected], [actual], case.rtol, case.atol)


def failures(cases, run):
    """What goes wrong, by the case's name."""
    found = {}
    for case in cases:
        try:
            for inputs, outputs in case.data_sets:
                assert_similar([array(v) for v in outputs], run(case.model, [array(v) for v in inputs]), case)
        except Exception as error:  # whatever it is, it counts as failed
            found[case.name] = f"{type(error).__name__}: {error}"
    return found


@pytest.fixture(scope="module")
def cases(node_cases):
    return {case.name: case for case in node_cases}


@pytest.fixture(scope="module")
def failed(cases):
    return failures(cases.values(), lambda model, inputs: prepare(model).run(inputs))


def test_family(cases, failed):
    family = {name for name in cases if FAMILY.match(name)}
    assert len(family) >= IN_FAMILY
    assert {name: why for name, why in failed.items() if name in family and name not in EXCEPTIONS} == {}


def test_all_other_nodes(cases, failed):
    assert len(cases) >= NODE
    assert {name: why for name, why in failed.items() if name not in EXCEPTIONS} == {}


def test_exceptions_are_still_needed(failed):
    """Those that draw at random may hit the values once; the rest must fail, or leave the list."""
    assert {name for name, why in EXCEPTIONS.items() if why != RANDOM} <= failed.keys()


def test_what_the_reference_evaluator_fails_is_run_here(cases, failed):
    """Of the cases we pass, some that onnx's reference evaluator does not know or gets wrong."""

    def reference(model, inputs):
        names = [value.name for value in model.graph.input]
        return ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))

    names = ("test_scatter_with_axis", "test_scatter_without_axis", "test_if_opt")
    chosen = [cases[name] for name in names]
    with np.errstate(all="ignore"):
        assert failures(chosen, reference).keys() == set(names)
    assert not failed.keys() & set(names)


def test_the_float16_body_is_nearer_to_the_exact_value(cases):
    case = cases["test_attention_4d_causal_fp16_expanded"]
    ((inputs, (expected,)),) = case.data_sets
    q, k, v = (array(value).astype(np.float64) for value in inputs)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    scores[..., np.triu(np.ones(scores.shape[-2:], bool), 1)] = -np.inf
    weights = np.exp(scores)
    exact = weights / weights.sum(-1, keepdims=True) @ v
    (ours,) = prepare(case.model).run([array(value) for value in inputs])
    assert np.abs(ours - exact).max() < np.abs(array(expected) - exact).max()


def test_official_attention_by_kernel_and_oracle(node_cases):
    cases = [case for case in node_cases if re.match(r"test_attention(?!.*expanded)", case.name)]
    assert len(cases) >= 93, "onnx 1.23 has 93"
    for case in cases:
        (node,) = case.model.graph.node
        row = operator("Attention", case.model.opset_import[0].version)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for inputs, outputs in case.data_sets:
            values = iter(inputs)
            given = [next(values) if name else None for name in node.input]
            for function in (row.run, row.evaluate):
                got = function(given, attributes, outputs=len(node.output))
                got = [x for x, name in zip(got, node.output, strict=True) if name]
                Runner.assert_similar_outputs(outputs, got, case.rtol, case.atol)


def stored(path, value):
    """The input or output in a file, of the type that the model gives it."""
    content = path.read_bytes()
    kind = value.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return numpy_helper.to_array(onnx.TensorProto.FromString(content))


@pytest.mark.parametrize(
    ("kind", "at_least"), [("pytorch-converted", 82), ("pytorch-operator", 35), ("simple", 23)]
)
def test_models_on_disk(kind, at_least):
    found = load_model_tests(kind=kind)
    assert len(found) >= at_least
    for case in found:
        folder = Path(case.model_dir)
        graph = onnx.load(folder / "model.onnx").graph
        if case.name in UNSUPPORTED:
            with pytest.raises(UnsupportedModelError):
                prepare(folder / "model.onnx")
            continue
        rep = prepare(folder / "model.onnx")
        for data in sorted(folder.glob("test_data_set_*")):
            inputs = [
                stored(path, graph.input[k])
                for k, path in enumerate(sorted(data.glob("input_*.pb"), key=number))
            ]
            outputs = [
                stored(path, graph.output[k])
                for k, path in enumerate(sorted(data.glob("output_*.pb"), key=number))
            ]
            assert_similar(outputs, rep.run(inputs), case)


def number(path):
    return int(path.stem.rpartition("_")[2])


LIGHT = sorted(Path(DATA_DIR, "light").glob("*.onnx"))


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_light_models(path):
    rep = prepare(path)
    model = onnx.load(path)
    (info,) = rep.inputs
    (value,) = (value for value in model.graph.input if value.name == info.name)
    expected = stored(path.with_name(f"{path.stem}_output_0.pb"), model.graph.output[0])
    Runner.assert_similar_outputs([expected], rep.run([Runner.generate_dummy_data(value)]), 1e-3, 1e-7)
