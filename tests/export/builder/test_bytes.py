"""Equal arguments give equal bytes, in another process and under another seed of Python's hashes, too."""

import os
import subprocess
import sys

PROGRAM = """
import hashlib, sys
import numpy as np
from softops.export import *

weight = np.random.default_rng(0).normal(size=(5, 7))
common = {"metadata": {"b": "1", "a": "2"}, "names": {"label": "weight"}}
best = {"labels": list("abcde"), "top_k": 2, "threshold": 0.3}
ends = ["loss", "log_probabilities"]
family = ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", "LogSoftmax"]
for opset in (9, 13, 17, 23):
    classifier = classifier_head(weight, opset=opset, **best, **common)
    plain = classifier_head(weight, opset=opset, labels=list("abcde"), top_k=2)
    models = [
        classifier,
        sparsemax_head(weight, opset=opset, **common),
        entmax15_head(weight, opset=opset),
        binary_head(weight[0], opset=opset, **common),
        multilabel_head(weight, opset=opset, dtype="float16"),
        lm_head(weight, opset=opset, top_k=2, softcap=2.0, vocabulary=4, temperature="input"),
        lm_head(weight, opset=max(opset, 11), sample={"top_p": 0.5, "top_k": 3}),
        policy_head(5, opset=opset, legal_mask=True, outputs=["sampled_action", "greedy_action", "probabilities"]),
        loss(5, opset=opset, ignore_index=-1, class_weight=np.ones(5), decompose=True, dims=["a", "b"]),
        gradient("loss", 5, opset=opset, ignore_index=-1, class_weight=np.ones(5)),
        linear_loss(5, 3, opset=opset, ignore_index=-1, label_smoothing=0.1, softcap=3.0),
        attention(4, 8, kv_heads=2, mask="additive", causal=True, sink=[0, 1, 2, 3], opset=opset),
        append_head(strip_head(plain), top_k=3),
        strip_head(plain),
        replace_activation(classifier_head(weight, opset=opset), "log_softmax"),
        decompose(classifier, "Softmax"),
        fuse(decompose(classifier, "Softmax")),
    ]
    if opset >= 13:
        operator = loss(5, opset=opset, decompose=False, class_weight=np.ones(5), outputs=ends)
        models.append(decompose(operator, family))
    for model in models:
        print(opset, model.graph.name, hashlib.sha256(model.SerializeToString()).hexdigest())
"""


def test_another_process_with_another_seed_of_hashes_gives_the_same_bytes():
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert said[0] == said[1]
    assert said[0].count("\n") == 4 * 17 + 3
