"""
How much of a difference rounding explains: the noise of a tensor, the verdict on another value of it, advice for tests.

The exact value of a tensor and the spread of noisy runs come in (`softops.opset.rounding`). It imports measure.
"""
