"""A head that is added is exported, documented, and tested at the edges and for its bytes (docs/contributing.md)."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import onnx
import pytest

from softops import export

ROOT = Path(__file__).parents[2]
HEADS = sorted(
    name
    for module in pkgutil.iter_modules([str(ROOT / "export" / "heads")])
    for name, value in vars(importlib.import_module(f"softops.export.heads.{module.name}")).items()
    if inspect.isfunction(value)
    and value.__module__ == f"softops.export.heads.{module.name}"
    and not name.startswith("_")
    and inspect.signature(value).return_annotation in ("onnx.ModelProto", onnx.ModelProto)
)
DOCS = [
    (ROOT / "docs" / name).read_text("utf-8") for name in ("export.md", "export_tasks.md", "attention.md")
]
TESTS = [ROOT / "tests" / "export" / name for name in ("heads/test_edges.py", "builder/test_bytes.py")]


def test_there_are_heads():
    assert {"classifier_head", "attention", "loss"} <= set(HEADS)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_is_in_every_place(head):
    assert head in export.__all__
    named = re.compile(rf"\b{head}\b")
    assert any(named.search(page) for page in DOCS), "no page shows it"
    for path in TESTS:
        assert named.search(path.read_text("utf-8")), f"no case in {path.name}"
