"""What all tests share."""

from hypothesis import settings

# The same examples in every run: what fails is to fail again. `--hypothesis-profile=search` draws new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("same")
