"""Train a scikit-learn classifier, write it as ONNX with labels and the three best classes, and compare.

pip install ".[sklearn]" && python examples/sklearn_to_onnx.py wine.onnx
"""

import sys

import numpy as np
import onnxruntime
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softops.export import from_sklearn

path = sys.argv[1] if len(sys.argv) > 1 else "wine.onnx"
wine = load_wine()
x, x_test, y, y_test = train_test_split(wine.data, wine.target, random_state=0)
classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)

from_sklearn(
    classifier,
    labels=wine.target_names.tolist(),  # names instead of the numbers it was fitted on
    dtype="float32",
    top_k=3,
    for_runtime="onnxruntime==1.17",  # the opset and IR version that this release reads
    path=path,
)

session = onnxruntime.InferenceSession(path)
x_test = x_test.astype(np.float32)
label, probabilities, _, _, best = session.run(None, {"features": x_test})
difference = abs(probabilities - classifier.predict_proba(x_test)).max()
print(f"{path}: accuracy {(label == wine.target_names[y_test]).mean():.3f}")
print(f"probabilities differ from predict_proba by at most {difference:.1e}")
print(f"first row: {label[0]}, then {best[0, 1]} and {best[0, 2]}")
