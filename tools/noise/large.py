"""
``python -m tools.noise.large make|measure PATH``: one step of ``python -m tools.noise size``, in this process.

``make`` writes a model as large as BERT base, ``measure`` takes its noise and says what that took: a line of JSON for
each node that is done, and one at the end.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx

from ..memory import peak

WIDTH, DEPTH, HEADS, WORDS = 768, 12, 12, 30522
BATCH, LENGTH = 4, 128


def make(path: Path) -> None:
    """Write the model."""
    import torch

    from .inputs import numbers
    from .made import exported
    from .networks import Bert

    torch.manual_seed(0)
    module = Bert(WIDTH, DEPTH, HEADS, WORDS).eval()
    onnx.save(exported("bert_base", module, numbers(0, WORDS, BATCH, LENGTH), "script").model, path)


def measure(path: Path, samples: int) -> None:
    """Take the model's noise and print what it took."""
    from softops.conformance import noise

    ids = np.random.default_rng(1000).integers(0, WORDS, (BATCH, LENGTH))

    def watch(done: int, total: int, *_: object) -> None:
        print(json.dumps({"done": done, "total": total}), flush=True)

    start, used = time.perf_counter(), time.process_time()
    noise(str(path), {"x": ids}, samples=samples, watch=watch)
    took = {"seconds": time.perf_counter() - start, "processors": time.process_time() - used}
    print(json.dumps({**took, "bytes": peak()}), flush=True)


if __name__ == "__main__":
    _step, _path = sys.argv[1], Path(sys.argv[2])
    if _step == "make":
        make(_path)
    else:
        measure(_path, int(sys.argv[3]))
