"""The examples in docstrings of public functions are true, and the functions most used have one.

They are run by doctest, each by itself in an empty folder, with ``np`` and the public names of its package at hand.
"""

import doctest
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

PACKAGES = ("numba_kernels", "opset", "export", "conformance")


def examples() -> list[tuple[str, str]]:
    """The package and name of every public function or class with an example in its docstring."""
    return [
        (package, name)
        for package in PACKAGES
        for public in [importlib.import_module(f"softops.{package}")]
        for name in public.__all__
        if ">>> " in (inspect.getdoc(getattr(public, name)) or "")
    ]


EXAMPLES = examples()


def test_the_functions_most_used_have_examples() -> None:
    assert len(EXAMPLES) >= 20
    assert {package for package, _ in EXAMPLES} == set(PACKAGES)


@pytest.mark.parametrize(("package", "name"), EXAMPLES)
def test_examples_print_what_they_say(
    package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "from_sklearn":
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    public = importlib.import_module(f"softops.{package}")
    text = inspect.getdoc(getattr(public, name))
    assert text is not None
    assert "\nExamples\n--------\n" in text  # numpydoc's section, which the reference shows as one
    names = {"np": np} | {public_name: getattr(public, public_name) for public_name in public.__all__}
    test = doctest.DocTestParser().get_doctest(text, names, f"{package}.{name}", None, None)
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert result.attempted
    assert not result.failed, "".join(said)
