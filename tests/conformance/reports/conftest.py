"""A browser that the tests of a file share."""

import pytest
from chromium import Page


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("profile"))
    yield page
    page.close()
