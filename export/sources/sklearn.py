"""Fitted scikit-learn classifiers to ONNX; they are told apart by their attributes, scikit-learn is not imported."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import onnx

from ..builder.arguments import TEMPERATURE_KEY, check_temperature
from ..builder.choice import HeadOptions, read_choice, split_options
from ..builder.graph import Graph
from ..builder.options import Settings, check_dtype, read_options
from ..errors import ConversionError
from .sklearn_build import CONVERTER_KEY, Build, read_estimator
from .sklearn_check import CHECKED_KEY, COARSE, TOLERANCE, TOLERANCE_OF_HALVES, Difference, compare
from .sklearn_parts import integers_of, kind_of


def from_sklearn(
    estimator: Any,
    *,
    rows: Any = None,
    temperature: float | None = None,
    tolerance: float | None = None,
    **options: Unpack[HeadOptions],
) -> onnx.ModelProto:
    """
    Build the ONNX model of a fitted scikit-learn classifier, or of one of XGBoost or LightGBM.

    With N rows, F features and C classes the model takes ``features`` (N, F), or an input (N, 1) for each column of
    the DataFrame that a ColumnTransformer was fitted on, by its name, and gives

    - ``label`` (N,), int64 or string: what ``predict`` says;
    - ``probabilities`` (N, C): what ``predict_proba`` says;
    - ``decision`` (N,) for two classes, else (N, C): what ``decision_function`` says, given by default where
      there is no ``predict_proba``;
    - ``top_k_values``, ``top_k_indices``, ``top_k_labels`` (N, k), where ``top_k`` is given.

    softops writes by itself what has its scikit-learn counterpart's attributes: LogisticRegression and
    LogisticRegressionCV (two classes, multinomial, one-vs-rest), OneVsRestClassifier of linear classifiers,
    SGDClassifier (probabilities for ``log_loss`` and ``modified_huber``), RidgeClassifier, LinearSVC, Perceptron (the
    decision), MLPClassifier, CalibratedClassifierCV of any of these (``sigmoid`` and ``temperature``), DummyClassifier
    and NearestCentroid; Pipeline, ColumnTransformer, FeatureUnion, StandardScaler, MinMaxScaler and SimpleImputer in
    front of them; and of GridSearchCV and its siblings the best estimator. Whatever else there is skl2onnx converts,
    and onnxmltools for XGBoost and LightGBM, where they are installed (extras ``sklearn`` and ``boosting``).
    ``docs/sklearn.md`` lists what is converted, how exactly, and what is not.

    Parameters
    ----------
    estimator
        The fitted classifier.
    rows
        Rows as ``predict`` takes them: the model is run on them in onnxruntime and compared with ``predict_proba``
        (or ``decision_function``) and ``predict``. Of a DataFrame they also tell the types of the columns: floats in
        ``dtype``, int64, bool, or strings; otherwise those are taken that the transformers remember. Without rows what
        skl2onnx converted is tried on rows made up.
    temperature
        Positive: probabilities p become p^(1/T), divided by their sum.
    tolerance
        By how much scores may differ on the rows, of 1 or of the largest decision: 1e-4 by default, 1e-2 for halves.
    **options
        `HeadOptions` (``labels``, ``outputs``, ``top_k``, ``threshold``, ``abstain_label``, ``zipmap``) and
        `Options` (``opset``, ``for_runtime``, ``dtype``, ``names``, ``batch``, ``doc_string``, ``metadata``,
        ``path``). Labels are those the estimator was fitted on, True and False as 1 and 0; the dtype is float32.

    Returns
    -------
    onnx.ModelProto
        Its metadata say which parts were converted by what (``softops.converter``), and, where it was compared, on
        how many rows, the largest difference, and how many labels differ (``softops.checked``).

    Raises
    ------
    TypeError
        It is no classifier, or has labels that are neither strings nor integers.
    ValueError
        It is not fitted, was fitted on several targets, or holds NaN or infinity; no converter takes it, or what
        the converter made computes something else (``ConversionError``); and as `classifier_head`.
    ImportError
        It is not ours, and skl2onnx or onnxmltools is not installed.
    OSError
        ``path`` cannot be written.

    Warns
    -----
    UserWarning
        Rounding the rows to the dtype changes what the estimator says by more than the tolerance, or would where a
        scaler subtracts means far larger than its scale. Pass ``dtype="float64"`` then.

    Notes
    -----
    Of what softops writes, probabilities equal those of ``predict_proba`` up to the rounding of the matrix products in
    the dtype: a few ULP of 1 in float64, about 1e-6 in float32. The bound is derived in ``docs/export.md``, and
    ``tests/export/sources/test_sklearn.py`` holds it. Labels are equal wherever the margin exceeds it. In front of
    what skl2onnx converts, and where a scaler subtracts large means, columns are float64 inside the graph.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> fitted = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])
    >>> model = from_sklearn(fitted, dtype="float32", path="model.onnx")
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    head, common = split_options(options)
    settings = read_options(common)
    dtype = check_dtype(np.float32 if settings.dtype is None else settings.dtype, settings.opset)
    build = read_estimator(estimator, rows)
    classes = len(build.classes)
    if head.get("labels") is None:
        head["labels"] = integers_of(build.classes)
    choice = read_choice(head, classes=classes, scores=build.scores)
    if temperature is not None and "probabilities" not in build.scores:
        message = (
            f"expected a classifier with probabilities for the temperature (got {kind_of(estimator)}); leave it out, "
            f'and call append_head(model, "decision", activation="softmax", temperature={temperature!r})'
        )
        raise ValueError(message)
    divisor = None if temperature is None else check_temperature(temperature, 1, np.dtype(np.float32))
    found = None
    if rows is not None or build.wants_check:
        found = _check(build, settings, dtype, rows, tolerance)

    graph = Graph("sklearn", settings, dtype)
    build.add(graph, choice, divisor)
    build.warn_of_cancellation(dtype, rows)
    metadata = choice.metadata() | {CONVERTER_KEY: build.converter()}
    text = f"{kind_of(estimator)} of scikit-learn: {build.inputs.width} features to {classes} classes"
    if build.bridge.used:
        text += f"; {', '.join(build.bridge.used)} converted by {build.bridge.packages}"
    if found is not None:
        metadata[CHECKED_KEY] = found.json()
        text += f"; {found.words()}"
    if divisor is not None:
        metadata[TEMPERATURE_KEY] = json.dumps(divisor.tolist())
    return graph.finish(f"{text}.", metadata)


def _check(
    build: Build, settings: Settings, dtype: np.dtype[Any], rows: Any, tolerance: float | None
) -> Difference | None:
    """
    Compare label and scores, without whatever else was asked for; None where there is nothing to compare on.

    What a bridge makes of the classifier in float32 and is coarse there may be right in float64, where its converter
    has that; in float64 a tree that casts its input to float32 may be wrong: that which is closer is kept.
    """
    given = build.made_up() if rows is None else rows
    if given is None:
        return None
    plain = read_choice(
        HeadOptions(labels=integers_of(build.classes), outputs=["label", build.scores[0]]),
        classes=len(build.classes),
        scores=build.scores,
    )
    allowed = (TOLERANCE if dtype.itemsize > 2 else TOLERANCE_OF_HALVES) if tolerance is None else tolerance
    found: dict[bool, Difference] = {}
    wrong: list[ConversionError] = []
    for wide in (False, True) if build.bridged else (False,):
        build.bridge.wide = wide
        graph = Graph("sklearn", replace(settings, names={}, path=None, for_runtime=None), dtype)
        try:
            build.add(graph, plain, None)
            model = graph.model("", {})
            found[wide] = compare(
                model, build.estimator, build.inputs, given, dtype, allowed, real=rows is not None
            )
        except ConversionError as error:
            wrong.append(error)
        if found and dtype != np.float64 and found[wide].largest <= COARSE:
            break
    if not found:
        raise wrong[0]
    build.bridge.wide = min(found, key=lambda wide: found[wide].largest)
    return found[build.bridge.wide]
