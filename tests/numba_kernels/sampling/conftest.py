"""What the tests of sampling share: sampling as it is defined, from a module that is no test."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plain():
    """The module `plain`."""
    spec = importlib.util.spec_from_file_location("plain_sampling", Path(__file__).with_name("plain.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
