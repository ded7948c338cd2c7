"""Handwritten digits end to end: train with the kernels, export, run in onnxruntime, evaluate and prove.

    pip install ".[sklearn]" && python examples/digits.py

Writes digits.onnx into the working folder.
"""

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

from softops import conformance
from softops.export import classifier_head
from softops.numba_kernels import linear_cross_entropy_grad

digits = load_digits()
x, y = (digits.data / 16).astype(np.float32), digits.target
train, test = np.split(np.random.default_rng(0).permutation(len(x)), [1300])

# Softmax regression by gradient descent: the scores are never an array of their own.
weight, bias = np.zeros((10, 64), np.float32), np.zeros(10, np.float32)
for step in range(300):
    loss, _, dweight, dbias = linear_cross_entropy_grad(x[train], weight, y[train], bias, return_loss=True)
    weight -= 0.5 * dweight
    bias -= 0.5 * dbias
    if step % 100 == 99:
        print(f"step {step + 1}: loss {float(loss):.4f}")

words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
classifier_head(weight, bias, labels=words, top_k=3, path="digits.onnx")

session = onnxruntime.InferenceSession("digits.onnx")
labels, best, shares = session.run(["label", "top_k_labels", "top_k_values"], {"features": x[test]})
print(f"accuracy on {len(test)} digits that were held out: {np.mean(labels == np.array(words)[y[test]]):.3f}")
print("first: " + ", ".join(f"{name} {share:.1%}" for name, share in zip(best[0], shares[0], strict=True)))

report = conformance.validate("digits.onnx", "onnxruntime", {"features": x[test]})
print(f"onnxruntime computes digits.onnx right: {report.passed}")
