"""The example of docs/distributed.md, run as written, and what the page computes from what was measured."""

import re
from pathlib import Path

import numpy as np

from softops import numba_kernels as kernels

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "distributed.md").read_text("utf-8")


def test_the_example(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names = {}
    exec(compile(example, "docs/distributed.md", "exec"), names)
    logits = names["logits"].compute()
    np.testing.assert_allclose(
        names["loss"].compute(), kernels.cross_entropy(logits, np.zeros(200, int)), rtol=1e-6
    )
    np.testing.assert_array_equal(names["tokens"].compute(), kernels.topk(logits, 5)[1])
    np.testing.assert_array_equal(
        names["drawn"].compute(), kernels.sample(logits, temperature=0.8, top_k=50, seed=7)
    )
    assert str(names["tokens"][0].compute()) in capsys.readouterr().out
