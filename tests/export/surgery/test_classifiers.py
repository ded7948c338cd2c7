"""Heads inside classifiers and regressors of ai.onnx.ml: their raw scores, and other transformations of them."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from scipy import special

from softops.export import append_head, replace_activation, strip_head

N, ML = helper.make_node, "ai.onnx.ml"
RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3)).astype(np.float32)
WEIGHTS, BIAS = RNG.standard_normal((4, 3)).astype(np.float32), np.float32([0.5, -0.25, 0, 1])
RAW = X @ WEIGHTS.T + BIAS
TRANSFORMS = {
    "softmax": ("SOFTMAX", lambda z: special.softmax(z, axis=1)),
    "sigmoid": ("LOGISTIC", special.expit),
    "softmax_zero": ("SOFTMAX_ZERO", lambda z: special.softmax(z, axis=1)),
    "none": ("NONE", lambda z: z),
}


def tree(name, regressor, **more):
    """One tree of one split for each of four classes: at feature k, of weight -1 or 1 + k."""
    ids, branches = [t for t in range(4) for _ in range(3)], ["BRANCH_LEQ", "LEAF", "LEAF"]
    kind = "target" if regressor else "class"
    weights = [float(w) for k in range(4) for w in (-1, 1 + k)]
    return N(
        name,
        ["x"],
        ["scores"] if regressor else ["label", "scores"],
        domain=ML,
        nodes_treeids=ids,
        nodes_nodeids=[0, 1, 2] * 4,
        nodes_featureids=[k % 3 if at == 0 else 0 for k in range(4) for at in range(3)],
        nodes_modes=branches * 4,
        nodes_values=[0.0] * 12,
        nodes_truenodeids=[1, 0, 0] * 4,
        nodes_falsenodeids=[2, 0, 0] * 4,
        **{
            f"{kind}_treeids": [t for t in range(4) for _ in range(2)],
            f"{kind}_nodeids": [1, 2] * 4,
            f"{kind}_ids": [t for t in range(4) for _ in range(2)],
            f"{kind}_weights": weights,
        },
        **more,
    )


TREES = np.where(X[:, [0, 1, 2, 0]] <= 0, -1, 1 + np.arange(4))
LINEAR = {"coefficients": WEIGHTS.ravel().tolist(), "intercepts": BIAS.tolist()}
LABELS = {"classlabels_ints": [7, 5, 3, 1]}


def linear(**more):
    return N("LinearClassifier", ["x"], ["label", "scores"], domain=ML, **LINEAR, **LABELS, **more)


NODES = {
    "LinearClassifier": (linear, RAW),
    "LinearRegressor": (
        lambda **more: N("LinearRegressor", ["x"], ["scores"], domain=ML, targets=4, **LINEAR, **more),
        RAW,
    ),
    "TreeEnsembleClassifier": (
        lambda **more: tree("TreeEnsembleClassifier", False, classlabels_int64s=[7, 5, 3, 1], **more),
        TREES,
    ),
    "TreeEnsembleRegressor": (lambda **more: tree("TreeEnsembleRegressor", True, n_targets=4, **more), TREES),
}
MAPS = helper.make_sequence_type_proto(
    helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
)
ZIPPED = {"classlabels_int64s": [7, 5, 3, 1]}
ZIP = N("ZipMap", ["scores"], ["maps"], domain=ML, **ZIPPED)


def model(*nodes, scores="scores", label=True):
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, ["N"])] if label else []
    if scores == "maps":
        outputs.append(helper.make_value_info("maps", MAPS))
    else:
        outputs.append(helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["N", 4]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "g", [x], outputs)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def names(proto):
    return [value.name for value in proto.graph.output]


@pytest.mark.parametrize("op_type", NODES)
@pytest.mark.parametrize("transform", ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
def test_back_to_raw_scores(run_onnxruntime, op_type, transform):
    make, raw = NODES[op_type]
    has_label = "Classifier" in op_type
    stripped = strip_head(model(make(post_transform=transform), label=has_label))
    assert ([node.op_type for node in stripped.graph.node], names(stripped)) == ([op_type], ["logits"])
    np.testing.assert_allclose(run_onnxruntime(stripped, {"x": X})["logits"], raw, rtol=1e-5)
    named = strip_head(model(make(post_transform=transform), label=has_label), name="raw")
    assert names(named) == ["raw"]


@pytest.mark.parametrize("op_type", NODES)
@pytest.mark.parametrize("old", TRANSFORMS)
@pytest.mark.parametrize("new", TRANSFORMS)
def test_other_transformations(run_onnxruntime, same_bits, op_type, old, new):
    make, raw = NODES[op_type]
    before = model(make(post_transform=TRANSFORMS[old][0]), label="Classifier" in op_type)
    after = replace_activation(before, new)
    assert names(after) == names(before)
    given, expected = run_onnxruntime(after, {"x": X}), run_onnxruntime(before, {"x": X})
    np.testing.assert_allclose(given.pop("scores"), TRANSFORMS[new][1](raw), rtol=1e-5)
    del expected["scores"]
    same_bits(given, expected)  # the labels


def test_a_zip_map_goes_with_the_head_and_stays_in_an_exchange(run_onnxruntime):
    proto = model(linear(post_transform="LOGISTIC"), ZIP, scores="maps")
    stripped = strip_head(proto)
    assert [node.op_type for node in stripped.graph.node] == ["LinearClassifier"]
    np.testing.assert_allclose(run_onnxruntime(stripped, {"x": X})["logits"], RAW, rtol=1e-5)
    maps = run_onnxruntime(replace_activation(proto, "softmax"), {"x": X})["maps"]
    expected = special.softmax(RAW, axis=1)
    np.testing.assert_allclose([[m[k] for k in (7, 5, 3, 1)] for m in maps], expected, rtol=1e-5)


def test_a_zip_map_of_raw_scores_goes(run_onnxruntime):
    stripped = strip_head(model(linear(), ZIP, scores="maps"))
    assert names(stripped) == ["scores"]
    np.testing.assert_allclose(run_onnxruntime(stripped, {"x": X})["scores"], RAW, rtol=1e-5)


def test_a_zip_map_of_what_is_no_head_goes_alone(run_onnxruntime):
    """A forest's weights are probabilities already."""
    make, _ = NODES["TreeEnsembleClassifier"]
    doubled = [
        make(),
        N("Add", ["scores", "scores"], ["twice"]),
        N("ZipMap", ["twice"], ["maps"], domain=ML, **ZIPPED),
    ]
    stripped = strip_head(model(*doubled, scores="maps", label=False))
    assert names(stripped) == ["twice"]
    np.testing.assert_allclose(run_onnxruntime(stripped, {"x": X})["twice"], 2 * TREES)


def test_a_normalizer_goes_with_the_head(run_onnxruntime):
    """As in one-vs-rest classifiers: the logistic function of each score, divided by their sum."""
    normalized = N("Normalizer", ["scores"], ["p"], domain=ML, norm="L1")
    stripped = strip_head(model(linear(post_transform="LOGISTIC"), normalized, scores="p"))
    assert [node.op_type for node in stripped.graph.node] == ["LinearClassifier"]
    np.testing.assert_allclose(run_onnxruntime(stripped, {"x": X})["logits"], RAW, rtol=1e-5)


def test_one_output_alone(run_onnxruntime, same_bits):
    """What is left of the other output is as it was."""
    proto = model(linear(post_transform="SOFTMAX"))
    before = run_onnxruntime(proto, {"x": X})
    for output, other in (("scores", "label"), ("label", "scores")):
        after = run_onnxruntime(strip_head(proto, output), {"x": X})
        np.testing.assert_allclose(after.pop("logits"), RAW, rtol=1e-5)
        same_bits(after, {other: before[other]})


def test_a_label_of_raw_scores_is_taken_from_these(run_onnxruntime):
    stripped = strip_head(model(linear()))
    assert names(stripped) == ["scores"]
    assert len(stripped.graph.node) == 1
    with pytest.raises(ValueError, match="there is no head to strip"):
        strip_head(stripped)


SVM = {
    "kernel_type": "LINEAR",
    "kernel_params": [0.0, 0.0, 0.0],
    "support_vectors": X[:3].ravel().tolist(),
    "vectors_per_class": [2, 1],
    "coefficients": [1.0, 0.5, -1.5],
    "rho": [0.25],
    "classlabels_ints": [7, 5],
}


def test_probabilities_of_a_support_vector_machine(run_onnxruntime):
    svm = N("SVMClassifier", ["x"], ["label", "scores"], domain=ML, prob_a=[-1.5], prob_b=[0.25], **SVM)
    plain = N("SVMClassifier", ["x"], ["label", "scores"], domain=ML, **SVM)
    stripped = strip_head(model(svm))
    # Declared are four probabilities; how many decisions there are is another number.
    assert [d.dim_value or d.dim_param for d in stripped.graph.output[0].type.tensor_type.shape.dim] == [
        "N",
        "",
    ]
    np.testing.assert_array_equal(
        run_onnxruntime(stripped, {"x": X})["logits"], run_onnxruntime(model(plain), {"x": X})["scores"]
    )
    with pytest.raises(ValueError, match="probabilities of its own"):
        replace_activation(model(svm), "sigmoid")


def test_a_support_vector_machine_of_three_classes_can_have_a_softmax():
    three = SVM | {
        "vectors_per_class": [1, 1, 1],
        "coefficients": [1.0] * 6,
        "rho": [0.0] * 3,
        "classlabels_ints": [1, 2, 3],
    }
    svm = N("SVMClassifier", ["x"], ["label", "scores"], domain=ML, **three)
    (node,) = replace_activation(model(svm), "softmax").graph.node
    assert [a.s for a in node.attribute if a.name == "post_transform"] == [b"SOFTMAX"]
    two = N("SVMClassifier", ["x"], ["label", "scores"], domain=ML, **SVM)
    with pytest.raises(ValueError, match="one score for two classes"):
        replace_activation(model(two), "softmax")


def test_a_classifier_in_a_branch_stays():
    """Its scores would have to be made anew in there."""
    told = {"post_transform": "SOFTMAX", **LINEAR, **LABELS}
    branches = {
        f"{name}_branch": helper.make_graph(
            [N("LinearClassifier", ["x"], [f"{name}_label", name], domain=ML, **told)],
            name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])],
        )
        for name in ("then", "else")
    }  # fmt: skip
    proto = model(N("If", ["c"], ["scores"], **branches), label=False)
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    with pytest.raises(ValueError, match="no head to strip"):
        strip_head(proto)


def test_one_score_for_two_classes_has_no_softmax():
    """onnxruntime gives the raw score for SOFTMAX there."""
    one = N(
        "LinearClassifier", ["x"], ["label", "scores"], domain=ML, post_transform="LOGISTIC",
        coefficients=[1.0, 2.0, 3.0], intercepts=[0.5], classlabels_ints=[0, 1],
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"one score for two classes.*choose sigmoid"):
        replace_activation(model(one), "softmax")
    assert replace_activation(model(one), "sigmoid") == model(one)


def test_a_softmax_of_what_a_classifier_has_made_is_refused():
    for transform in ("SOFTMAX", "LOGISTIC"):
        with pytest.raises(ValueError, match="'scores', which is a LinearClassifier already"):
            append_head(model(linear(post_transform=transform)), "scores")
    assert append_head(model(linear()), "scores").graph.node[-1].op_type == "Softmax"


def test_an_activation_that_a_classifier_does_not_have():
    with pytest.raises(ValueError, match=r"a LinearClassifier can have \(got 'hardmax'\)"):
        replace_activation(model(linear(post_transform="SOFTMAX")), "hardmax")


def test_an_ensemble_of_the_newest_form_numbers_its_transformations(run_onnxruntime):
    def node(**more):
        return N(
            "TreeEnsemble", ["x"], ["scores"], domain=ML, n_targets=4, aggregate_function=1,
            tree_roots=[0], nodes_featureids=[0], nodes_modes=helper.make_tensor("m", TensorProto.UINT8, [1], [0]),
            nodes_splits=helper.make_tensor("s", TensorProto.FLOAT, [1], [0.0]),
            nodes_truenodeids=[0], nodes_falsenodeids=[1], nodes_trueleafs=[1], nodes_falseleafs=[1],
            leaf_targetids=[0, 2], leaf_weights=helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0]), **more,
        )  # fmt: skip

    proto = model(node(post_transform=2), label=False)
    proto.opset_import[1].version = 5
    raw = np.zeros((6, 4))
    raw[X[:, 0] <= 0, 0], raw[X[:, 0] > 0, 2] = 1, 2
    np.testing.assert_allclose(run_onnxruntime(strip_head(proto), {"x": X})["logits"], raw)
    # By ONNX 1 is SOFTMAX and 2 LOGISTIC; onnxruntime takes them the other way round.
    (attribute,) = (
        a for a in replace_activation(proto, "softmax").graph.node[0].attribute if a.name == "post_transform"
    )
    assert attribute.i == 1
