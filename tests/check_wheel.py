"""Check a built wheel: it holds every module and data file of the five packages, and imports from an empty folder.

``python tests/check_wheel.py softops-….whl``: installs the wheel without its dependencies into a folder of its own and
imports every module from there, in a process that does not see the checkout.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numba_kernels", "opset", "export", "conformance", "cli")

IMPORT_ALL = """
import importlib, pathlib, sys
home = pathlib.Path(sys.argv[1]).resolve()
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    assert pathlib.Path(module.__file__).resolve().is_relative_to(home), f"{name} came from {module.__file__}"
print(f"{len(sys.argv) - 2} modules import from the wheel")
"""


def expected_files() -> set[str]:
    """What the wheel must hold, as paths inside it."""
    files = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                files.add(f"softops/{path.relative_to(ROOT).as_posix()}")
    return files


def main() -> int:
    """Check the wheel named on the command line."""
    wheel = Path(sys.argv[1])
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    for missing in sorted(expected_files() - held):
        print(f"missing from the wheel: {missing}")
    for extra in sorted(held - expected_files()):
        print(f"in the wheel but not in the checkout: {extra}")
    if held != expected_files():
        return 1
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in held
        if name.endswith(".py")
    )
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, str(wheel)],
            check=True,
        )
        # the folder is put first by hand: -I keeps the checkout and the user's paths out
        code = f"import sys; sys.path.insert(0, {folder!r})\n{IMPORT_ALL}"
        return subprocess.run(
            [sys.executable, "-I", "-c", code, folder, *modules], cwd=folder, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
