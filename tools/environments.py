"""Environments of their own, with this softops and packages beside it, for the tools that compare what they hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def interpreter(home: Path) -> Path:
    """Return where the interpreter of an environment is, made or not."""
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed(home: Path, packages: Sequence[str], source: Path) -> subprocess.CompletedProcess[str]:
    """
    Make an environment anew, with softops and what it needs and packages named as for pip, and return what pip said.

    ``source`` is where softops is copied to, to be installed from.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    return _pip(home, str(copied(source)), *packages)


def renewed(home: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Install the present softops into an environment that has all else, and return what pip said."""
    return _pip(home, "--no-deps", "--force-reinstall", str(copied(source)))


def installed_by_npm(program: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """Copy the folder of a program in Node, install what it names in it, and return what npm said."""
    shutil.copytree(program, place, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    if shutil.which("npm") is None:
        return subprocess.CompletedProcess("npm", 1, "", "error: there is no npm here")
    return subprocess.run(
        ["npm", "install", "--no-audit"], cwd=place, check=False, text=True, capture_output=True
    )


def _pip(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(interpreter(home)), "-m", "pip", "install", "--quiet", *words]
    return subprocess.run(command, check=False, text=True, capture_output=True)


def copied(place: Path) -> Path:
    """Copy what is to be installed: pip writes into the folder that it builds from."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for name in setuptools["package-dir"].values():
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    return place
