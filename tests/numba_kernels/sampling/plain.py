"""Sampling as it is defined, in NumPy: words of NumPy's own generator, filters by sorting, in float64 or longdouble."""

import numpy as np

ORDERS = {
    "hugging-face": ("temperature", "top_k", "top_p", "min_p"),
    "vllm": ("temperature", "min_p", "top_k", "top_p"),
    "llama.cpp": ("top_k", "top_p", "min_p", "temperature"),
    "mlx": ("top_p", "min_p", "top_k", "temperature"),
    "onnxruntime-genai": ("top_k", "temperature", "top_p"),
}


def words(classes, seed=0, row=0, draw=0, stream=0):
    """32 bits for each class."""
    counter = np.array([0, draw, row, stream], np.uint64)
    return (
        np.random.Philox(key=seed, counter=counter).random_raw((classes + 1) // 2).view(np.uint32)[:classes]
    )


def integers(classes, seed=0, row=0, draw=0):
    """52 bits for each class."""
    upper, lower = (words(classes, seed, row, draw, stream).astype(np.uint64) for stream in range(2))
    return (upper << np.uint64(20)) + (lower >> np.uint64(12))


def noise(classes, seed=0, row=0, draw=0):
    """Gumbel's noise in longdouble."""
    u = (2 * integers(classes, seed, row, draw).astype(np.longdouble) + 1) / 2**53
    return -np.log(-np.log(u))


def support(line, *, order="hugging-face", temperature=1.0, top_k=None, top_p=None, min_p=None):
    """Which classes of a line may be drawn, as flags."""
    x = line.astype(np.float64)
    degrees, left = 1.0, x > -np.inf
    for step in ORDERS.get(order, order):
        best = np.argsort(-np.where(left, x, -np.inf), kind="stable")[: left.sum()]
        e = np.exp((x[best] - x[best[0]]) / degrees)
        if step == "temperature":
            degrees = temperature
        elif step == "top_k" and top_k is not None:
            best = best[:top_k]
        elif step == "top_p" and top_p is not None and top_p < 1:
            before = np.cumsum(e) - e
            best = best[(before < top_p * e.sum()) | (np.arange(len(e)) == 0)]
        elif step == "min_p" and min_p is not None:
            best = best[e >= min_p]
        left = np.isin(np.arange(len(x)), best)
    return left


def draws(x, count=1, *, seed=0, row=0, temperature=1.0, **filters):
    """The draws of rows, and by how much each class that was drawn was ahead of the next."""
    drawn, lead = np.empty((len(x), count), np.int64), np.empty((len(x), count))
    for i, line in enumerate(x):
        allowed = support(line, temperature=temperature, **filters)
        for j in range(count):
            below = (line.astype(np.longdouble) - line.max()) / np.longdouble(temperature)
            score = np.where(allowed, below + noise(len(line), seed, row + i, j), -np.inf)
            drawn[i, j] = score.argmax()
            first, *others = sorted(score, reverse=True)
            lead[i, j] = first - others[0] if others else np.inf
    return drawn, lead
