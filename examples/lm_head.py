"""Export the head of a language model with tied weights, and ask it for the five likeliest next tokens.

    python examples/lm_head.py

Writes lm_head.onnx and lm_head.onnx.data (the embedding matrix, as it would be for a model over 2 GiB) into the
working folder.
"""

import numpy as np
import onnxruntime

from softops.export import lm_head

WIDTH = 64
TOKENS = sorted({*"abcdefghijklmnopqrstuvwxyz", " ", ".", "the", "of", "and", "soft", "max", "operator"})

# A network of your own gives these: here the embeddings are not trained, and stand for them.
random = np.random.default_rng(0)
embedding = random.standard_normal((64, WIDTH)).astype(np.float32)  # padded from 34 tokens to 64 rows
hidden_states = embedding[
    [[TOKENS.index("soft"), TOKENS.index("max")], [TOKENS.index("of"), TOKENS.index("the")]]
]

lm_head(
    embedding,  # tied weights: as they are, nothing is transposed
    vocabulary=len(TOKENS),  # the other rows are padding and never come out
    labels=TOKENS,
    top_k=5,
    softcap=30.0,
    temperature="input",
    external_from=1,  # leave it out: then only weights near 2 GiB go to a file of their own
    path="lm_head.onnx",
)

session = onnxruntime.InferenceSession("lm_head.onnx")
feeds = {"hidden_states": hidden_states, "temperature": np.array([4], np.float32)}
values, _, tokens = session.run(["top_k_values", "top_k_indices", "top_k_labels"], feeds)
for row, words in zip(np.exp(values), tokens, strict=True):
    print("  ".join(f"{word!r} {p:.1%}" for word, p in zip(words, row, strict=True)))
