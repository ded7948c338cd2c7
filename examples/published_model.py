"""Give a published model calibrated probabilities and its five best labels, and prove that it still computes right.

    pip install ".[test]" && python examples/published_model.py

The model is magika's (Apache-2.0): the bytes of a file to what kind of file it is. Its softmax is spelled out in single
steps and its labels are in another file. Writes magika.onnx into the working folder.
"""

import json
import sysconfig
from pathlib import Path

import magika
import numpy as np
import onnxruntime

from softops import conformance
from softops.export import append_head, fuse, strip_head
from softops.numba_kernels import cross_entropy

FOLDER = sorted(Path(magika.__file__).parent.glob("models/standard_v*"))[-1]
CONFIG = json.loads((FOLDER / "config.min.json").read_text())
LABELS = CONFIG["target_labels_space"]
KINDS = {
    ".py": "python",
    ".pyc": "pythonbytecode",
    ".so": "elf",
    ".txt": "txt",
    ".h": "c",
    ".json": "json",
    ".toml": "toml",
}


def features(content: bytes) -> list[int]:
    """The first and last 1024 bytes without white space around them, filled up with 256."""
    begin, end, fill = CONFIG["beg_size"], CONFIG["end_size"], CONFIG["padding_token"]
    block = CONFIG["block_size"]
    first = list(content[:block].lstrip()[:begin])
    last = list(content[-block:].rstrip()[-end:])
    return first + [fill] * (begin - len(first)) + [fill] * (end - len(last)) + last


# Files whose kind is known by their ending: those of Python's own library, every other one kept for the test.
files = sorted(
    p
    for p in Path(sysconfig.get_path("stdlib")).rglob("*")
    if p.suffix in KINDS and "site-packages" not in p.parts
)
files = [
    path
    for suffix in KINDS
    for path in [p for p in files if p.suffix == suffix and p.stat().st_size > 64][:120]
]
x = np.array([features(path.read_bytes()) for path in files], np.int32)
y = np.array([LABELS.index(KINDS[path.suffix]) for path in files])
fitted, held_out = slice(0, None, 2), slice(1, None, 2)

# The spelled-out softmax becomes one operator, and is taken off: what is left gives logits.
bare = strip_head(fuse(FOLDER / "model.onnx"))
session = onnxruntime.InferenceSession(bare.SerializeToString())
name = session.get_inputs()[0].name
logits = np.concatenate([session.run(None, {name: rows})[0] for rows in np.array_split(x, len(x) // 64 + 1)])

# One number makes probabilities honest: the temperature of the least cross-entropy on files of known kind.
candidates = np.geomspace(0.25, 4, 81, dtype=np.float32)
losses = [float(cross_entropy(logits[fitted] / t, y[fitted])) for t in candidates]
temperature = float(candidates[int(np.argmin(losses))])
before, after = (float(cross_entropy(logits[held_out] / t, y[held_out])) for t in (1.0, temperature))

append_head(
    bare, session.get_outputs()[0].name, labels=LABELS, top_k=5, temperature=temperature, path="magika.onnx"
)

report = conformance.validate("magika.onnx", "onnxruntime", {name: x[held_out][:64]})
best, shares = onnxruntime.InferenceSession("magika.onnx").run(
    ["top_k_labels", "top_k_values"], {name: x[held_out][:1]}
)

print(f"{len(files)} files of {len(KINDS)} kinds; temperature {temperature:.2f}")
print(f"cross-entropy of files that were held out: {before:.3f}, calibrated {after:.3f}")
print(f"{files[1].name}: " + ", ".join(f"{n} {s:.1%}" for n, s in zip(best[0], shares[0], strict=True)))
print(f"onnxruntime computes magika.onnx right: {report.passed}")
