"""Run the tests that reach a changed line, nearest first, in a copy of the checkout."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import coverage

from .places import PACKAGES, Mutant

# A change that makes the tests run so long is noticed by whoever runs them.
LONGEST = 120
# How many of the tests that reach a line are run: of the room's own, then of all.
_NEAR, _ALL = 80, 1500


class Outcome(NamedTuple):
    """What became of a mutant; `by` is the first test that failed, or why none did."""

    killed: bool
    by: str


class Copy:
    """A copy of the files under version control, importable as softops."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, text=True
        )
        for name in listed.stdout.split("\0")[:-1]:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.root / name)
        links = folder / "path" / "softops"
        links.mkdir(parents=True)
        for package in PACKAGES:
            (links / package).symlink_to(self.root / package)
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(links.parent), str(self.root), os.environ.get("PYTHONPATH", "")]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            # a change in the kernels has a folder of its own there
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(folder / "cache")),
        }
        self._asked = folder / "tests.txt"

    def failure(self, tests: list[str]) -> str | None:
        """The first test that fails, if one does."""
        self._asked.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "--tb=no", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, f"@{self._asked}"],
                cwd=self.root,
                env=self._environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"nothing was done after {LONGEST} s"
        if done.returncode in (0, 5):
            return None
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0][:200] if lines else f"pytest ended with {done.returncode}"


def _spread(tests: list[str], most: int) -> list[str]:
    return tests if len(tests) <= most else sorted(random.Random(0).sample(tests, most))


def _mirror(root: Path, file: str) -> str:
    """The folder of tests for the room of a file, or those named like a package's own module."""
    *rooms, name = Path(file).with_suffix("").parts
    beside = root / "tests" / Path(*rooms)
    own = sorted(str(path.relative_to(root)) for path in beside.glob(f"test_{name}*.py"))
    return own[0] if own and len(rooms) == 1 else str(beside.relative_to(root))


class Reached:
    """Which tests run which line, from a run of ``pytest --cov --cov-context=test``."""

    def __init__(self, root: Path, file: Path | None) -> None:
        self._root = root
        self._data = coverage.CoverageData(str(file)) if file else None
        if self._data:
            self._data.read()

    def tests(self, mutant: Mutant) -> list[str]:
        if self._data is None:
            return []
        known = [name for name in self._data.measured_files() if name.endswith(f"/{mutant.file}")]
        contexts = self._data.contexts_by_lineno(known[0]).get(mutant.line, []) if known else []
        return sorted({context.split("|")[0] for context in contexts if context})

    def stages(self, mutant: Mutant) -> Iterator[list[str]]:
        """What to run, one after the other, until something fails."""
        tests, mirror = self.tests(mutant), _mirror(self._root, mutant.file)
        near = [test for test in tests if test.startswith(mirror)]
        if near:
            yield _spread(near, _NEAR)
        far = _spread([test for test in tests if test not in set(near)], _ALL)
        if far:
            yield far
        if (self._root / mirror).exists():
            yield [mirror]
        if not tests:  # what is compiled, or run in another process, leaves no trace
            yield [f"tests/{mutant.file.split('/')[0]}"]


def judge(mutant: Mutant, copy: Copy, reached: Reached) -> Outcome:
    """Make the change in the copy, run the tests, take it back."""
    path = copy.root / mutant.file
    code = path.read_text()
    path.write_text(mutant.source(code))
    try:
        for tests in reached.stages(mutant):
            failed = copy.failure(tests)
            if failed:
                return Outcome(True, failed)
        return Outcome(False, f"reached by {len(reached.tests(mutant))} tests")
    finally:
        path.write_text(code)
