"""
The model of index.html, with its softmax and labels in the graph, and handwritten digits to try it on:

    pip install "softops[sklearn]" && python make_head.py

writes digits.onnx and digits.json into this folder.
"""

import json
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from softops.export import from_sklearn

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FOLDER = Path(__file__).parent

digits = load_digits()
names = [NAMES[digit] for digit in digits.target]
images, others, labels, truth = train_test_split(digits.data, names, test_size=0.1, random_state=0)
fitted = LogisticRegression(C=1e-3, max_iter=5000).fit(images.astype("float32"), labels)
from_sklearn(
    fitted,
    top_k=len(NAMES),  # the names of all classes, best first, for the bars
    threshold=0.6,
    abstain_label="not sure",
    path=FOLDER / "digits.onnx",
)
tries = [
    {"name": name, "pixels": row.tolist()}
    for name, row in zip(truth[:24], others[:24].astype(int), strict=True)
]
(FOLDER / "digits.json").write_text(json.dumps(tries), encoding="utf-8")
print("digits.onnx and digits.json are written")
