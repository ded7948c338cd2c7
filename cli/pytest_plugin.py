"""
What pytest loads of softops: nothing, unless the conformance suite is asked for.

``pytest --pyargs softops.conformance --runtime NAME`` runs the cases of the suite as tests. Its options are
added for that alone, so that no other run of pytest meets them, or waits for an import.
"""

import pytest

SUITE = "softops.conformance"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Load the suite's options and fixtures where it is among the arguments."""
    if any(SUITE in argument for argument in args):
        early_config.pluginmanager.import_plugin(f"{SUITE}.suite.pytest_cases")
