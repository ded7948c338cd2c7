"""What the four packages show of themselves: their public names and the version, nothing of what is inside."""

import importlib
import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

PACKAGES = ["numba_kernels", "opset", "export", "conformance"]
BESIDE_ALL = {"opset": {"backend", "reference"}}
packages = pytest.mark.parametrize("package", PACKAGES)


@packages
def test_dir_lists_what_is_public(package):
    module = importlib.import_module(f"softops.{package}")
    listed = dir(module)
    assert set(listed) == {*module.__all__, "__version__"} | BESIDE_ALL.get(package, set())
    for name in listed:
        assert hasattr(module, name)
    modules = {name for name, _ in inspect.getmembers(module, inspect.ismodule)}
    assert modules == BESIDE_ALL.get(package, set())


@packages
def test_the_version_is_that_of_the_distribution(package):
    module = importlib.import_module(f"softops.{package}")
    assert module.__version__ == version("softops")
    with pytest.raises(AttributeError, match=f"module 'softops.{package}' has no attribute 'version'"):
        _ = module.version


def test_the_version_is_looked_up_when_it_is_asked_for():
    """Reading metadata takes longer than it may take to import the kernels' first module."""
    program = (
        "import sys, importlib.metadata as m; m.version = None;"
        "import softops.numba_kernels; assert 'version' not in vars(softops.numba_kernels)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_namespace_itself_has_no_version():
    """A namespace package has no module to hold one; docs/kernels.md says where it is."""
    import softops

    assert not hasattr(softops, "__version__")
    assert not hasattr(softops, "__file__") or softops.__file__ is None
