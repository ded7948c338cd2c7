"""Classifiers of scikit-learn, and a pipeline with columns of strings, by skl2onnx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_BOTH = ("logistic", "mlp_scaled", "svc")
"""Written before and behind opset 13, where the axis of Softmax changed its meaning."""


def made() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each model."""
    from skl2onnx import to_onnx
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_iris
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, NuSVC

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    logistic = LogisticRegression(max_iter=500)
    estimators: dict[str, Any] = {
        "logistic": logistic,
        "mlp_scaled": make_pipeline(StandardScaler(), MLPClassifier(max_iter=200, random_state=0)),
        "svc": SVC(probability=True, random_state=0),
        "nusvc": NuSVC(probability=True, random_state=0),
        "forest": RandomForestClassifier(20, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
        "calibrated": CalibratedClassifierCV(logistic, cv=2),
        "one_vs_rest": OneVsRestClassifier(logistic),
        "sgd_huber": SGDClassifier(loss="modified_huber", random_state=0),
    }
    for name, estimator in estimators.items():
        estimator.fit(x, y)
        for opset in (12, 18) if name in _BOTH else (18,):
            for zipmap in (False, True) if name == "logistic" else (False,):
                options = {id(estimator): {"zipmap": zipmap}}
                model = to_onnx(estimator, x[:1], options=options, target_opset={"": opset, "ai.onnx.ml": 3})
                yield f"{name}_{opset}{'_zipmap' if zipmap else ''}", model.SerializeToString()
    yield "pipeline", pipeline()[0]


def pipeline() -> tuple[bytes, dict[str, Any], Any]:
    """
    Make a pipeline of the usual kind: numbers imputed and scaled, a code one-hot, a logistic regression.

    The model, what it is fed (numbers of shape (rows, 3) with NaN among them, codes of shape (rows, 1)), and the
    probabilities that scikit-learn gives for it.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.default_rng(0)
    numbers = random.standard_normal((200, 3)).astype(np.float32)
    codes = random.integers(0, 3, (200, 1))
    classes = (numbers @ [1, -2, 0.5] > codes[:, 0] - 1).astype(int) + (codes[:, 0] == 2)
    numbers[::7, 1] = np.nan
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [0, 1, 2]),
            ("codes", OneHotEncoder(handle_unknown="ignore"), [3]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression())
    table = np.hstack([numbers, codes.astype(np.float32)])
    model.fit(table, classes)
    types = [("numbers", FloatTensorType([None, 3])), ("codes", Int64TensorType([None, 1]))]
    options = {id(model): {"zipmap": False}}
    content = to_onnx(model, initial_types=types, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    feeds = {"numbers": numbers[:50], "codes": codes[:50].astype(np.int64)}
    return content.SerializeToString(), feeds, model.predict_proba(table[:50])
