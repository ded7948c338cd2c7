"""The words that options take, as the packages spell them, which are imported when a command runs.

`tests/cli/terminal/test_words.py` compares them with the packages'.
"""

from typing import Literal

Activation = Literal["softmax", "log_softmax", "hardmax", "none"]
Appended = Literal["softmax", "log_softmax", "hardmax", "sigmoid", "argmax", "none"]
Replacement = Literal["softmax", "log_softmax", "hardmax", "sigmoid", "softmax_zero", "probit", "none"]
Dtype = Literal["float16", "bfloat16", "float32", "float64"]
Bound = Literal["exact", "strict", "webnn", "onnx"]
