"""The table of one answer on aarch64, emulated: whether the kernels have the same bits there.

    python -m tools.one_answer_arm [--dtypes float32 …] [--operators softmax …] [--folder FOLDER]

Debian's Python for arm64 and the package index's wheels for aarch64 are unpacked into a folder, with a copy of
`numba_kernels`; nothing is installed, and the checkout is left alone. A folder that is named is kept and used again.
Exit code 1 where a digest is another than the table's, 2 where something needed cannot be had.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
ANSWERS = ROOT / "tests" / "numba_kernels"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = f"deb [signed-by={KEYS}] http://deb.debian.org/debian bookworm main\n"
PYTHON = "3.11"  # bookworm's
DEBIAN = [f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6"]
NEEDED = {"numpy", "numba", "ml-dtypes"}  # of what pyproject.toml lists; they bring llvmlite
PLATFORMS = [f"--platform=manylinux{version}_aarch64" for version in ("2014", "_2_27", "_2_28")]
TOOLS = {"qemu-aarch64-static": "qemu-user-static", "apt-get": "apt", "dpkg-deb": "dpkg"}
# What runs in the emulator: a line for each operator as soon as it is there.
EMULATED = """
import json, sys, one_answer
for operator, dtype in json.loads(sys.argv[1]):
    print(json.dumps(one_answer.digests([dtype], [operator])), flush=True)
"""


def unavailable(message: str) -> NoReturn:
    """End because of something that is needed and not there."""
    print(message, file=sys.stderr)
    raise SystemExit(2)


def call(*command: str | Path) -> None:
    """Run a command quietly; its last words where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        unavailable(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}")


def unpack_debian(root: Path) -> None:
    """Debian's Python for arm64 and all it depends on, by an apt that knows nothing of this machine's packages."""
    apt = root.with_name("apt")
    for part in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "etc/apt/sources.list").write_text(SOURCE, "utf-8")
    settings = [f"Dir={apt}", f"Dir::State::status={apt / 'status'}"]
    settings += ["APT::Architecture=arm64", "APT::Architectures=arm64"]
    if os.geteuid() == 0:
        settings.append("APT::Sandbox::User=root")  # the user _apt may not enter a temporary folder
    apt_get = ["apt-get", *(f"--option={setting}" for setting in settings)]
    call(*apt_get, "update", "--error-on=any")
    call(*apt_get, "install", "--yes", "--download-only", "--no-install-recommends", *DEBIAN)
    for package in (apt / "var/cache/apt/archives").glob("*.deb"):
        call("dpkg-deb", "--extract", package, root)


def unpack_wheels(site: Path) -> None:
    """The wheels for aarch64, of the versions that pyproject.toml allows."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    wanted = [each for each in wanted if each.partition(">=")[0] in NEEDED]
    target = ["--target", str(site), "--python-version", PYTHON, "--only-binary=:all:"]
    call(sys.executable, "-m", "pip", "install", *target, *PLATFORMS, *wanted)


def prepare(folder: Path) -> None:
    """Unpack into `root` and `site` what is not there already, and copy this checkout's kernels into `code`."""
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            unavailable(f"needs {tool}: apt install {package}")
    for name, fill in (("root", unpack_debian), ("site", unpack_wheels)):
        if not (folder / name).exists():
            print(f"unpacking {name} …", flush=True)
            part = folder / f"{name}.part"  # of its own name when it is complete
            shutil.rmtree(part, ignore_errors=True)
            fill(part)
            part.rename(folder / name)
    shutil.rmtree(folder / "code", ignore_errors=True)
    kernels = folder / "code" / "softops" / "numba_kernels"
    shutil.copytree(ROOT / "numba_kernels", kernels, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ANSWERS / "one_answer.py", folder / "code")


def emulated(folder: Path, wanted: list[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """The digests of each operator and dtype, in this order; it ends early where the emulated process dies."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": f"{folder / 'code'}:{folder / 'site'}", "PYTHONDONTWRITEBYTECODE": "1"}
    root = str(folder / "root")
    command = ["qemu-aarch64-static", "-L", root, f"{root}/usr/bin/python{PYTHON}", "-c", EMULATED]
    with subprocess.Popen(
        [*command, json.dumps(wanted)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield from map(json.loads, process.stdout)


def compare(folder: Path, wanted: list[tuple[str, str]], table: dict[str, str]) -> list[str]:
    """Tell of each operator and dtype how many digests are the table's; those that are not, or never came."""
    missing = [key for key in table if names(key) in wanted]
    count, differing, begun = len(missing), [], time.monotonic()
    for found in emulated(folder, wanted):
        wrong = [f"differs: {key}" for key, digest in found.items() if table.get(key) != digest]
        told = f"{' '.join(names(next(iter(found))))}: {len(found) - len(wrong)} of {len(found)} equal"
        print(f"{told}, {time.monotonic() - begun:.0f} s", flush=True)
        differing += wrong
        missing = [key for key in missing if key not in found]
    differing += [f"no result: {key}" for key in missing]
    print(f"{count - len(differing)} of {count} digests are those of the table", *differing, sep="\n")
    return differing


def names(key: str) -> tuple[str, str]:
    """The operator and the dtype of a digest."""
    operator, dtype, _ = key.split(maxsplit=2)
    return operator, dtype


def main() -> int:
    """Print how many digests are equal, and those that are not."""
    table = json.loads((ANSWERS / "data" / "one_answer.json").read_text("utf-8"))
    there = list(dict.fromkeys(map(names, table)))
    operators, dtypes = (list(dict.fromkeys(column)) for column in zip(*there, strict=True))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=["float32"])
    parser.add_argument("--operators", nargs="+", choices=operators, default=operators)
    parser.add_argument("--folder", type=Path, help="kept, so that nothing is fetched the next time")
    options = parser.parse_args()
    wanted = [(name, dtype) for name, dtype in there if name in options.operators and dtype in options.dtypes]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        prepare(folder)
        return int(bool(compare(folder, wanted, table)))


if __name__ == "__main__":
    raise SystemExit(main())
