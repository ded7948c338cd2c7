"""Attention graphs: their form, their options, and what is refused."""

import numpy as np
import onnx
import onnxruntime
import pytest

from softops.export import attention
from softops.opset.backend import prepare


def operators(model):
    return [node.op_type for node in model.graph.node]


def dims(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def test_plain_attention_is_one_node_where_the_operator_exists():
    assert operators(attention(8, 64, opset=23)) == ["Attention"]
    assert operators(attention(8, 64, opset=22)) == ["Mul", "Transpose", "MatMul", "Softmax", "MatMul"]
    assert operators(attention(8, 64, opset=23, operator=False)) == operators(attention(8, 64, opset=22))
    assert "Attention" not in operators(attention(8, 64, opset=23, dtype="float64"))


def test_a_sink_is_written_in_parts():
    for opset in (8, 22, 24):
        assert operators(attention(2, 4, sink=[0, 1], opset=opset)) == [
            "Mul", "Transpose", "MatMul", "Reshape", "Slice", "Shape", "Expand", "Concat", "Softmax", "Slice",
            "MatMul",
        ]  # fmt: skip
    assert "Attention" in operators(attention(2, 4, sink=None, opset=23))
    asked = {"sink": "input", "names": {"sink": "sinks"}, "dtype": "float16"}
    model = attention(4, 8, kv_heads=2, mask="boolean", **asked)
    assert [x.name for x in model.graph.input] == ["query", "key", "value", "mask", "sinks"]
    assert dims(model.graph.input[-1]) == [4]
    assert model.graph.input[-1].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    assert model.doc_string.endswith("boolean mask, a sink for each head.")


def test_the_softmax_axis_is_written_out():
    for opset in (7, 12, 13):
        (softmax,) = [n for n in attention(2, 4, opset=opset).graph.node if n.op_type == "Softmax"]
        assert onnx.helper.get_node_attr_value(softmax, "axis") == 3


def test_axes_have_names_or_lengths():
    asked = {"mask": "boolean", "mask_axes": ("batch", 1, 1, "keys"), "value_size": 5}
    model = attention(4, 8, kv_heads=2, **asked, batch="n", queries=1, keys="cache")
    shapes = {x.name: dims(x) for x in (*model.graph.input, *model.graph.output)}
    assert shapes == {
        "query": ["n", 4, 1, 8],
        "key": ["n", 2, "cache", 8],
        "value": ["n", 2, "cache", 5],
        "mask": ["n", 1, 1, "cache"],
        "output": ["n", 4, 1, 5],
    }
    folded = attention(4, 8, kv_heads=2, **asked, folded=True)
    shapes = {x.name: dims(x) for x in (*folded.graph.input, *folded.graph.output)}
    assert shapes["query"] == ["batch", "queries", 32]
    assert shapes["output"] == ["batch", "queries", 20]


@pytest.mark.parametrize("opset", [11, 24])
def test_a_mask_of_padding_hides_keys_from_every_query_of_its_sample(opset):
    rng = np.random.default_rng(0)
    model = attention(2, 4, mask="boolean", mask_axes=("batch", 1, 1, "keys"), folded=True, opset=opset)
    query, key, value = (rng.standard_normal((3, n, 8)).astype(np.float32) for n in (2, 5, 5))
    mask = np.arange(5) < np.array([5, 2, 0])[:, None]
    feeds = {"query": query, "key": key, "value": value, "mask": mask[:, None, None]}
    (all_keys,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    (ours,) = prepare(model).run(feeds)
    np.testing.assert_allclose(ours, all_keys, rtol=0, atol=2e-6)
    plain = attention(2, 4, folded=True, opset=opset)
    two = {"query": query[1:2], "key": key[1:2, :2], "value": value[1:2, :2]}
    (first_two,) = onnxruntime.InferenceSession(plain.SerializeToString()).run(None, two)
    np.testing.assert_allclose(all_keys[1:2], first_two, rtol=0, atol=2e-6)
    assert np.all(all_keys[2] == 0)


def test_options_are_kept_and_equal_arguments_give_equal_bytes(tmp_path):
    path = tmp_path / "attention.onnx"
    asked = {"causal": True, "names": {"query": "q", "output": "y"}, "metadata": {"author": "me"}}
    model = attention(4, 8, **asked, doc_string="Mine.", path=path)
    assert [x.name for x in model.graph.input] == ["q", "key", "value"]
    assert [x.name for x in model.graph.output] == ["y"]
    assert model.doc_string == "Mine."
    assert {p.key: p.value for p in model.metadata_props}["author"] == "me"
    assert path.read_bytes() == attention(4, 8, **asked, doc_string="Mine.").SerializeToString()
    assert (
        attention(4, 8, causal=True).doc_string == "Scaled dot-product attention: 4 heads of size 8, causal."
    )


def test_a_runtime_picks_the_form():
    for release, right in {
        "1.17": False,
        "1.23": False,
        "1.27.1": False,
        "1.28.0": True,
        " v1.29rc1": True,
        "1.32": True,
    }.items():
        model = attention(2, 4, for_runtime=f"onnxruntime=={release}")
        assert ("Attention" in operators(model)) == right, release


REFUSED = {
    "heads": (ValueError, r"heads from 1 to \d+ .got 0.", {"heads": 0}),
    "heads of a float": (TypeError, "heads as an integer .got 2.0.", {"heads": 2.0}),
    "groups": (ValueError, "multiple of kv_heads .got 4 and 3.", {"kv_heads": 3}),
    "head size": (ValueError, r"head_size from 1 to \d+ .got -1.", {"head_size": -1}),
    "value size": (TypeError, "value_size as an integer .got 'x'.", {"value_size": "x"}),
    "mask": (ValueError, "'boolean', 'additive' or None .got 'bool'.", {"mask": "bool"}),
    "mask axes": (
        ValueError,
        "mask_axes as the last of",
        {"mask": "boolean", "mask_axes": ("keys", "queries")},
    ),
    "mask without keys": (ValueError, "mask_axes", {"mask": "boolean", "mask_axes": ("queries", 1)}),
    "no mask axes": (ValueError, "mask_axes", {"mask": "boolean", "mask_axes": ()}),
    "a text": (ValueError, "got 'keys'", {"mask": "boolean", "mask_axes": "keys"}),
    "five axes": (ValueError, "mask_axes", {"mask_axes": (1, 1, 1, 1, "keys")}),
    "scale": (ValueError, "scale above 0 and finite in float32 .got 0.0.", {"scale": 0}),
    "scale of nan": (ValueError, "scale above 0 and finite in float32 .got nan.", {"scale": float("nan")}),
    "scale that vanishes": (ValueError, "above 0 and finite in float32 .got 1e-60.", {"scale": 1e-60}),
    "softcap": (ValueError, "softcap above 0", {"softcap": -1.0}),
    "softcap of a text": (TypeError, "softcap as a number .got 'x'.", {"softcap": "x"}),
    "axis": (ValueError, "queries as the name of an axis", {"queries": ""}),
    "too many": (ValueError, r"heads from 1 to \d+ .got 1000", {"heads": 10**30}),
    "axis of a float": (
        TypeError,
        "queries as the name of an axis or its length .got 2.5.",
        {"queries": 2.5},
    ),
    "length": (ValueError, r"keys from 1 to \d+ .got 0.", {"keys": 0}),
    "same axis": (ValueError, "batch axis .got 'keys' twice.", {"batch": "keys"}),
    "operator": (ValueError, "opset 23 or newer for the Attention operator", {"operator": True, "opset": 22}),
    "wide softcap": (
        ValueError,
        "softcap that is a float32",
        {"operator": True, "opset": 23, "dtype": "float64", "softcap": 0.1},
    ),
    "sink of another text": (ValueError, "each head or 'input' .got 'inputs'.", {"sink": "inputs"}),
    "sink of one number": (
        ValueError,
        r"sink of shape .4,., a logit for each head of .* .got ...",
        {"sink": 1.0},
    ),
    "sinks of key heads": (ValueError, r"sink of shape .4,.", {"kv_heads": 2, "sink": [1, 2]}),
    "sink of nan": (ValueError, r"finite float32 numbers .got nan at .2.", {"sink": [0, 0, float("nan"), 0]}),
    "sink of inf": (ValueError, r"finite float32 numbers .got inf at .0.", {"sink": [float("inf"), 0, 0, 0]}),
    "wide sink": (ValueError, "finite float16 numbers .got -70000", {"sink": [-7e4] * 4, "dtype": "float16"}),
    "sinks of texts": (TypeError, "expected sink in float32", {"sink": ["a"] * 4}),
    "sink of the operator": (
        ValueError,
        "operator=True without a sink, .* has no input for .* leave operator out",
        {"operator": True, "opset": 24, "sink": [0] * 4},
    ),
    "open lengths": (ValueError, "queries and keys as numbers", {"causal": True, "opset": 8, "keys": 5}),
    "bfloat16": (ValueError, "opset 13 or newer for bfloat16", {"dtype": "bfloat16", "opset": 12}),
    "an option": (TypeError, "did you mean opset", {"opsets": 3}),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_makes_no_sense_is_refused_with_nothing_written(case, tmp_path):
    error, message, asked = REFUSED[case]
    with pytest.raises(error, match=message):
        attention(**{"heads": 4, "head_size": 8, **asked}, path=tmp_path / "attention.onnx")
    assert not list(tmp_path.iterdir())
