"""What the tests of sampling share: sampling as it is defined, from a module that is no test."""

import importlib.util
from pathlib import Path

import numba
import pytest


@pytest.fixture(scope="session")
def plain():
    """The module `plain`."""
    spec = importlib.util.spec_from_file_location("plain_sampling", Path(__file__).with_name("plain.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def threads():
    """threads(number): from now on Numba uses so many, or the test is skipped."""
    before = numba.get_num_threads()

    def use(number):
        if number > numba.config.NUMBA_NUM_THREADS:
            pytest.skip("fewer threads here")
        numba.set_num_threads(number)

    yield use
    numba.set_num_threads(before)
