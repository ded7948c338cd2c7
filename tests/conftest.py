"""What all tests share."""

import sys
from pathlib import Path

from hypothesis import settings

# benchmarks and tools are no part of what is installed
ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:
    sys.path.append(ROOT)

# The same examples in every run: what fails is to fail again. `--hypothesis-profile=search` draws new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("same")
