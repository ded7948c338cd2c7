"""Tree ensembles from the fitted trees of scikit-learn, from trees drawn at random, and by hand; beside onnxruntime."""

import itertools

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor

from softops.opset import ModelError
from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

X, Y = load_iris(return_X_y=True)
X = (X + np.random.default_rng(0).normal(0, 0.3, X.shape)).astype(np.float32)
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def node(op_type, outputs, **attributes):
    return onnx.helper.make_node(op_type, ["x"], outputs, domain="ai.onnx.ml", **attributes)


def run(op_type, x, version=3, **attributes):
    made = node(op_type, ["y"] if op_type != "TreeEnsembleClassifier" else ["label", "scores"], **attributes)
    assert is_verified(made, {"ai.onnx.ml": version})
    return run_node(made, [x], opset_version=version)


def rounded_down(thresholds):
    """The largest float32 that is not larger, which a float32 is compared with to the same effect."""
    single = thresholds.astype(np.float32)
    return np.where(single > thresholds, np.nextafter(single, np.float32(-np.inf)), single)


def nodes_of(trees):
    """The nodes of scikit-learn's trees, in the form of TreeEnsembleClassifier and TreeEnsembleRegressor."""
    return {
        "nodes_treeids": [k for k, tree in enumerate(trees) for _ in range(tree.node_count)],
        "nodes_nodeids": [place for tree in trees for place in range(tree.node_count)],
        "nodes_featureids": [max(int(f), 0) for tree in trees for f in tree.feature],
        "nodes_values": [float(v) for tree in trees for v in rounded_down(tree.threshold)],
        "nodes_modes": ["LEAF" if n < 0 else "BRANCH_LEQ" for tree in trees for n in tree.children_left],
        "nodes_truenodeids": [max(int(n), 0) for tree in trees for n in tree.children_left],
        "nodes_falsenodeids": [max(int(n), 0) for tree in trees for n in tree.children_right],
    }


def votes_of(trees, kind, weights):
    """The votes of the leaves; ``weights`` has for each tree a number by node and target, of shape (nodes, targets)."""
    votes = [
        (k, place, target, float(weight))
        for k, (tree, values) in enumerate(zip(trees, weights, strict=True))
        for place in np.flatnonzero(tree.children_left < 0).tolist()
        for target, weight in enumerate(values[place])
    ]
    names = (f"{kind}_treeids", f"{kind}_nodeids", f"{kind}_ids", f"{kind}_weights")
    return {name: list(column) for name, column in zip(names, zip(*votes, strict=True), strict=True)}


def forest(classes):
    model = RandomForestClassifier(7, max_depth=5, random_state=0).fit(X[classes > Y], Y[classes > Y])
    return model, [estimator.tree_ for estimator in model.estimators_]


@pytest.mark.parametrize("version", [1, 3])
def test_random_forest_of_three_classes(version, onnxruntime_of):
    model, trees = forest(3)
    weights = [tree.value[:, 0] / tree.value[:, 0].sum(1, keepdims=True) / len(trees) for tree in trees]
    attributes = nodes_of(trees) | votes_of(trees, "class", weights) | {"classlabels_int64s": [0, 1, 2]}
    labels, scores = run("TreeEnsembleClassifier", X, version, **attributes)
    assert (labels.dtype, scores.dtype) == (np.int64, np.float32)
    np.testing.assert_allclose(scores, model.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(labels, model.predict(X))
    theirs = onnxruntime_of(
        "TreeEnsembleClassifier", version, [X], attributes, domain="ai.onnx.ml", outputs=2
    )
    np.testing.assert_allclose(scores, theirs[1], atol=1e-6)
    np.testing.assert_array_equal(labels, theirs[0])
    names = {**attributes, "classlabels_strings": ["a", "b", "c"]}
    del names["classlabels_int64s"]
    text, _ = run("TreeEnsembleClassifier", X, version, **names)
    assert text.tolist() == [["a", "b", "c"][k] for k in labels]


def test_random_forest_of_two_classes_in_one_score(onnxruntime_of):
    model, trees = forest(2)
    weights = [
        (tree.value[:, 0] / tree.value[:, 0].sum(1, keepdims=True) / len(trees))[:, 1:] for tree in trees
    ]
    attributes = nodes_of(trees) | votes_of(trees, "class", weights) | {"classlabels_int64s": [5, 9]}
    labels, scores = run("TreeEnsembleClassifier", X, **attributes)
    np.testing.assert_allclose(scores, model.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(labels, np.array([5, 9])[model.predict(X)])
    theirs = onnxruntime_of("TreeEnsembleClassifier", 3, [X], attributes, domain="ai.onnx.ml", outputs=2)
    np.testing.assert_array_equal(labels, theirs[0])
    np.testing.assert_allclose(scores, theirs[1], atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_where_no_leaf_has_a_vote_every_class_has_none_and_the_first_is_taken(classes):
    attributes = nodes_of(forest(3)[1]) | {"classlabels_int64s": [5, 9, 7][:classes]}
    labels, scores = run("TreeEnsembleClassifier", X, **attributes)
    np.testing.assert_array_equal(labels, np.full(len(X), 5))
    np.testing.assert_array_equal(scores, np.zeros((len(X), classes), np.float32))


@pytest.mark.parametrize("classes", [2, 3])
def test_gradient_boosting(classes, onnxruntime_of):
    chosen = classes > Y
    model = GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=0).fit(X[chosen], Y[chosen])
    stages = model.estimators_  # (stages, targets)
    trees = [tree.tree_ for stage in stages for tree in stage]
    columns = [k for _ in stages for k in range(stages.shape[1])]
    votes = votes_of(trees, "class", [model.learning_rate * tree.value[:, :, 0] for tree in trees])
    votes["class_ids"] = [columns[tree] for tree in votes["class_treeids"]]
    start = model._raw_predict_init(X[:1])[0]
    attributes = nodes_of(trees) | votes | {
        "classlabels_int64s": list(range(classes)),
        "base_values": start.tolist(),
        "post_transform": "SOFTMAX" if classes > 2 else "LOGISTIC",
    }  # fmt: skip
    x = X[chosen]
    labels, scores = run("TreeEnsembleClassifier", x, **attributes)
    np.testing.assert_allclose(scores, model.predict_proba(x), rtol=1e-5)
    np.testing.assert_array_equal(labels, model.predict(x))
    theirs = onnxruntime_of("TreeEnsembleClassifier", 3, [x], attributes, domain="ai.onnx.ml", outputs=2)
    np.testing.assert_allclose(scores, theirs[1], rtol=1e-5)
    np.testing.assert_array_equal(labels, theirs[0])


@pytest.mark.parametrize("targets", [1, 2])
def test_random_forest_for_regression(targets, onnxruntime_of):
    model = RandomForestRegressor(6, max_depth=4, random_state=1).fit(X, X[:, :targets].squeeze())
    trees = [estimator.tree_ for estimator in model.estimators_]
    votes = votes_of(trees, "target", [tree.value[:, :, 0] for tree in trees])
    base = [0.5, -1.0][:targets]
    attributes = (
        nodes_of(trees) | votes | {"n_targets": targets, "aggregate_function": "AVERAGE", "base_values": base}
    )
    for version in (1, 3):
        (y,) = run("TreeEnsembleRegressor", X, version, **attributes)
        assert (y.dtype, y.shape) == (np.float32, (len(X), targets))
        np.testing.assert_allclose(y, model.predict(X).reshape(len(X), targets) + base, rtol=1e-6)
        (theirs,) = onnxruntime_of("TreeEnsembleRegressor", version, [X], attributes, domain="ai.onnx.ml")
        np.testing.assert_allclose(y, theirs, rtol=1e-6)


# Trees by hand: what each says is found by going down one row at a time.
RANDOM = np.random.default_rng(4)
GRID = np.array([*itertools.product([-1.0, 0.0, 0.5, np.nan], repeat=2)])


def drawn_trees(modes, trees=3, depth=3, seed=0):
    """Complete trees, split at values of the features: (feature, split, mode, missing, true, false), or a leaf."""
    rng = np.random.default_rng(seed)

    def grow(level):
        if level == depth:
            return int(rng.integers(0, 2)), float(rng.normal())
        feature, split, mode = (
            int(rng.integers(0, 2)),
            float(rng.choice([-1, 0, 0.5])),
            str(rng.choice(modes)),
        )
        return feature, split, mode, int(rng.integers(0, 2)), grow(level + 1), grow(level + 1)

    return [grow(0) for _ in range(trees)]


HOLDS = {
    "BRANCH_LEQ": lambda x, split: x <= split,
    "BRANCH_LT": lambda x, split: x < split,
    "BRANCH_GTE": lambda x, split: x >= split,
    "BRANCH_GT": lambda x, split: x > split,
    "BRANCH_EQ": lambda x, split: x == split,
    "BRANCH_NEQ": lambda x, split: x != split,
    "BRANCH_MEMBER": lambda x, split: x in split,
}


def leaf_of(tree, row):
    while len(tree) > 2:
        feature, split, mode, missing, if_true, if_false = tree
        holds = bool(missing) if np.isnan(row[feature]) else HOLDS[mode](row[feature], split)
        tree = if_true if holds else if_false
    return tree


def expected_of(trees, x, how):
    result = []
    for row in x:
        votes = [leaf_of(tree, row) for tree in trees]
        by_target = [[weight for target, weight in votes if target == k] for k in range(2)]
        total = {"SUM": sum, "AVERAGE": lambda v: sum(v) / len(trees), "MIN": min, "MAX": max}[how]
        result.append([total(votes) if votes else 0 for votes in by_target])
    return np.array(result)


def named(trees):
    """In the form of TreeEnsembleRegressor."""
    attributes = {f"nodes_{name}": [] for name in ("treeids", "nodeids", "featureids", "values", "modes")}
    attributes |= {
        name: [] for name in ("nodes_truenodeids", "nodes_falsenodeids", "nodes_missing_value_tracks_true")
    }
    attributes |= {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(trees):
        waiting, found = [tree], 0
        while found < len(waiting):
            here = waiting[found]
            if len(here) == 2:
                feature, split, mode, missing, children = 0, 0.0, "LEAF", 0, (0, 0)
                for name, value in zip(
                    ("treeids", "nodeids", "ids", "weights"), (number, found, *here), strict=True
                ):
                    attributes[f"target_{name}"].append(value)
            else:
                feature, split, mode, missing, *branches = here
                children = (len(waiting), len(waiting) + 1)
                waiting += branches
            row = (number, found, feature, split, mode, *children, missing)
            for column, value in zip(list(attributes.values())[:8], row, strict=True):
                column.append(value)
            found += 1
    return attributes | {"n_targets": 2}


@pytest.mark.parametrize("mode", [*MODES, "all"])
@pytest.mark.parametrize("how", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_every_comparison_and_aggregate(mode, how, onnxruntime_of):
    trees = drawn_trees(MODES if mode == "all" else [mode], seed=MODES.index(mode) if mode != "all" else 99)
    attributes = named(trees) | {"aggregate_function": how}
    expected = expected_of(trees, GRID, how)
    for dtype in (np.float32, np.float64):
        (y,) = run("TreeEnsembleRegressor", GRID.astype(dtype), **attributes)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
    # Where NaNs take the branch of the attribute onnxruntime has a word of its own: NaN != split holds.
    known = GRID[~np.isnan(GRID).any(1)].astype(np.float32)
    (theirs,) = onnxruntime_of("TreeEnsembleRegressor", 3, [known], attributes, domain="ai.onnx.ml")
    np.testing.assert_allclose(
        run("TreeEnsembleRegressor", known, **attributes)[0], theirs, rtol=1e-5, atol=1e-6
    )


def test_missing_values_take_the_false_branch_without_a_word():
    trees = drawn_trees(MODES)
    attributes = named(trees)
    del attributes["nodes_missing_value_tracks_true"]

    def without(tree):
        return tree if len(tree) == 2 else (*tree[:3], 0, *map(without, tree[4:]))

    (y,) = run("TreeEnsembleRegressor", GRID, **attributes)
    np.testing.assert_allclose(
        y, expected_of([without(tree) for tree in trees], GRID, "SUM"), rtol=1e-6, atol=1e-7
    )


def test_comparisons_are_exact():
    # 0.1 in float32 is larger than 0.1 in float64; integers beyond 2^24 are no float32
    attributes = named([(0, 0.1, "BRANCH_LEQ", 0, (0, 1.0), (0, 2.0))])
    del attributes["nodes_values"]
    values = onnx.numpy_helper.from_array(np.array([0.1, 0, 0]))
    attributes |= {"nodes_values_as_tensor": values}
    assert run("TreeEnsembleRegressor", np.array([[0.1]]), **attributes)[0][0, 0] == 1
    assert run("TreeEnsembleRegressor", np.array([[0.1]], np.float32), **attributes)[0][0, 0] == 2
    attributes = named([(0, 2.0**24, "BRANCH_LEQ", 0, (0, 1.0), (0, 2.0))])
    for dtype in (np.int32, np.int64):
        x = np.array([[2**24], [2**24 + 1]], dtype)
        assert run("TreeEnsembleRegressor", x, **attributes)[0][:, 0].tolist() == [1, 2]


def test_sums_are_of_more_digits_than_the_weights():
    attributes = named([(0, 0.0, "BRANCH_LEQ", 0, (0, w), (0, w)) for w in (1.0, 1e8, 1.0, -1e8)])
    assert run("TreeEnsembleRegressor", np.zeros((1, 1), np.float32), **attributes)[0][0, 0] == 2


def tensor(values, dtype):
    return onnx.numpy_helper.from_array(np.array(values, dtype))


def placed(trees, dtype):
    """In the form of TreeEnsemble."""
    names = [*MODES, "BRANCH_MEMBER"]
    columns = {name: [] for name in ("featureids", "modes", "splits", "missing_value_tracks_true")}
    children = {name: [] for name in ("truenodeids", "falsenodeids", "trueleafs", "falseleafs")}
    leaves, members, roots = [], [], []
    waiting = []
    for tree in trees:
        roots.append(len(waiting))
        waiting.append(tree)
        while len(columns["modes"]) < len(waiting):
            feature, split, mode, missing, *branches = waiting[len(columns["modes"])]
            if mode == "BRANCH_MEMBER":
                members += [*split, np.nan]
            row = (feature, names.index(mode), 0.0 if mode == "BRANCH_MEMBER" else split, missing)
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
            for side, branch in zip(("true", "false"), branches, strict=True):
                is_leaf = len(branch) == 2
                children[f"{side}leafs"].append(int(is_leaf))
                children[f"{side}nodeids"].append(len(leaves) if is_leaf else len(waiting))
                (leaves if is_leaf else waiting).append(branch)
    targets, weights = zip(*leaves, strict=True)
    return {
        **{f"nodes_{name}": values for name, values in {**columns, **children}.items()},
        "nodes_modes": tensor(columns["modes"], np.uint8),
        "nodes_splits": tensor(columns["splits"], dtype),
        "leaf_targetids": list(targets),
        "leaf_weights": tensor(weights, dtype),
        "tree_roots": roots,
        "n_targets": 2,
        **({"membership_values": tensor(members, dtype)} if members else {}),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_tree_ensemble_of_version_5(dtype, onnxruntime_of):
    trees = drawn_trees(MODES, seed=7)
    attributes, x = placed(trees, dtype), GRID.astype(dtype)
    for number, how in enumerate(("AVERAGE", "SUM", "MIN", "MAX")):
        (y,) = run("TreeEnsemble", x, 5, aggregate_function=number, **attributes)
        assert y.dtype == dtype
        np.testing.assert_allclose(
            y,
            expected_of(trees, GRID, how),
            rtol=4 * np.finfo(dtype).eps,
            atol=4e-3 * (dtype == np.float16) + 1e-6,
        )
    if dtype != np.float16:  # of which onnxruntime has none
        known = x[~np.isnan(x).any(1)]
        (theirs,) = onnxruntime_of("TreeEnsemble", 5, [known], attributes, domain="ai.onnx.ml")
        np.testing.assert_allclose(
            run("TreeEnsemble", known, 5, **attributes)[0], theirs, rtol=1e-5, atol=1e-6
        )


def test_membership(onnxruntime_of):
    sets = itertools.cycle([(0.0, 3.0), (1.0,), (2.0, 1.0, 5.0), (0.0,)])

    def with_sets(tree):
        if len(tree) == 2:
            return tree
        feature, split, mode, *rest, if_true, if_false = tree
        split = next(sets) if mode == "BRANCH_MEMBER" else split
        return feature, split, mode, *rest, with_sets(if_true), with_sets(if_false)

    trees = [with_sets(tree) for tree in drawn_trees(["BRANCH_MEMBER", "BRANCH_LEQ"], seed=2)]
    attributes = placed(trees, np.float32)
    whole = np.array([*itertools.product([0, 1, 2, 3], repeat=2)], np.float32)
    for x in (whole, GRID.astype(np.float32)):
        (y,) = run("TreeEnsemble", x, 5, **attributes)
        np.testing.assert_allclose(y, expected_of(trees, x, "SUM"), rtol=1e-6, atol=1e-7)
    (theirs,) = onnxruntime_of("TreeEnsemble", 5, [whole], attributes, domain="ai.onnx.ml")
    np.testing.assert_allclose(run("TreeEnsemble", whole, 5, **attributes)[0], theirs, rtol=1e-5, atol=1e-6)


def test_transforms_of_several_targets(onnxruntime_of):
    trees = drawn_trees(["BRANCH_LEQ"], seed=5)
    known = GRID[~np.isnan(GRID).any(1)].astype(np.float32)
    for number, transform in enumerate(("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO")):
        attributes = named(trees) | {"post_transform": transform}
        (y,) = run("TreeEnsembleRegressor", known, **attributes)
        (theirs,) = onnxruntime_of("TreeEnsembleRegressor", 3, [known], attributes, domain="ai.onnx.ml")
        np.testing.assert_allclose(y, theirs, rtol=1e-5, atol=1e-6)
        # In version 5 transforms have numbers; onnxruntime takes 1 for LOGISTIC and 2 for SOFTMAX, against the text.
        (same,) = run("TreeEnsemble", known, 5, **placed(trees, np.float32), post_transform=number)
        np.testing.assert_allclose(same, y, rtol=1e-6)


def test_a_tree_that_is_a_leaf():
    attributes = placed([(0, 0.0, "BRANCH_LEQ", 0, (1, 2.5), (1, 2.5))], np.float32)
    attributes |= {
        "nodes_falsenodeids": [0],
        "leaf_targetids": [1],
        "leaf_weights": tensor([2.5], np.float32),
    }
    assert run("TreeEnsemble", np.zeros((2, 1), np.float32), 5, **attributes)[0].tolist() == [[0, 2.5]] * 2
    one = {"nodes_modes": ["LEAF"], "nodes_values": [0.0], "target_weights": [2.5], "n_targets": 1}
    one |= {
        f"nodes_{name}": [0] for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    }
    one |= {f"target_{name}": [0] for name in ("treeids", "nodeids", "ids")}
    assert run("TreeEnsembleRegressor", np.zeros((2, 1), np.float32), **one)[0].tolist() == [[2.5]] * 2


def test_many_rows_go_down_in_parts(monkeypatch):
    from softops.opset.classical import forest as flat

    trees = drawn_trees(MODES)
    whole = run("TreeEnsembleRegressor", GRID, **named(trees))[0]
    monkeypatch.setattr(flat, "_AT_A_TIME", 7)
    np.testing.assert_array_equal(run("TreeEnsembleRegressor", GRID, **named(trees))[0], whole)


def test_forms_that_nobody_explains_are_not_verified():
    trees = drawn_trees(["BRANCH_LEQ"])
    votes = {
        name.replace("target", "class"): value for name, value in named(trees).items() if name != "n_targets"
    }
    for attributes in (
        {"classlabels_int64s": [1]},
        {"classlabels_int64s": [0, 1], "class_ids": [1] * len(votes["class_ids"])},
        {
            "classlabels_int64s": [0, 1],
            "class_ids": [0] * len(votes["class_ids"]),
            "post_transform": "SOFTMAX",
        },
        {"classlabels_int64s": [0, 1, 2], "base_values": [0.5]},
    ):
        assert not is_verified(
            node("TreeEnsembleClassifier", ["l", "s"], **votes | attributes), {"ai.onnx.ml": 3}
        )


@pytest.mark.parametrize("transform", ["LOGISTIC", "SOFTMAX"])
def test_a_transform_of_one_target_is_not_verified(transform):
    for targets in (1, 2):
        attributes = named(drawn_trees(["BRANCH_LEQ"])) | {"n_targets": targets, "post_transform": transform}
        made = node("TreeEnsembleRegressor", ["y"], **attributes)
        assert is_verified(made, {"ai.onnx.ml": 3}) == (targets == 2)


def test_what_cannot_be_is_refused():
    attributes = named(drawn_trees(["BRANCH_LEQ"]))
    circle = [1] + [0] * (len(attributes["nodes_truenodeids"]) - 1)
    wrong = {
        "expected an aggregate_function of AVERAGE, SUM, MIN, MAX": {"aggregate_function": "MEDIAN"},
        "expected nodes_modes of BRANCH_LEQ": {
            "nodes_modes": ["BRANCH_ABOUT", *attributes["nodes_modes"][1:]]
        },
        "lead back to a node above": {"nodes_truenodeids": circle, "nodes_falsenodeids": circle},
    }
    for message, given in wrong.items():
        made = node("TreeEnsembleRegressor", ["y"], **attributes | given)
        with pytest.raises(ModelError, match=message):
            run_node(made, [np.zeros((1, 2), np.float32)], opset_version=3)
    members = placed([(0, (1.0,), "BRANCH_MEMBER", 0, (0, 1.0), (1, 2.0))], np.float32)
    del members["membership_values"]
    with pytest.raises(ModelError, match="expected membership_values for 1 nodes"):
        run_node(node("TreeEnsemble", ["y"], **members), [np.zeros((1, 2), np.float32)], opset_version=5)
