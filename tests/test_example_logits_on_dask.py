"""The example of logits on Dask finds what the kernels find of all weights at once."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from softops import numba_kernels as kernels

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "logits_on_dask.py"


@pytest.mark.slow
def test_the_loss_is_that_of_all_weights(capsys):
    names = runpy.run_path(str(EXAMPLE))
    names["main"]()
    printed = capsys.readouterr().out
    shards = [
        names["weights_of_a_shard"]({None: {"chunk-location": (i, 0), "chunk-shape": (50_000, 64)}})
        for i in range(4)
    ]
    random = np.random.default_rng(0)
    hidden = random.normal(size=(2_000, 64)).astype(np.float32)
    labels = random.integers(0, 200_000, 2_000)
    loss = kernels.linear_cross_entropy(hidden, np.concatenate(shards), labels)
    assert f"loss {loss:.4f}," in printed
