"""The check on an emulated processor: what it says of digests, and of what is not there.

The emulator of these tests is a script that runs the given code on the processor at hand.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script of a shell is the emulator")
ROOT = Path(__file__).parents[2]
TABLE = json.loads((ROOT / "tests" / "numba_kernels" / "data" / "one_answer.json").read_text("utf-8"))
HARDMAX = {key: digest for key, digest in TABLE.items() if key.startswith("hardmax float32 ")}
WRONG = "hardmax float32 (9, 5) -1 30"


def command(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def run(folder, emulator, *arguments, unpacked=("root", "site")):
    """The script with this emulator, an apt without a mirror, and a folder where all was unpacked before."""
    for name in ("bin", *(f"kept/{name}" for name in unpacked)):
        (folder / name).mkdir(parents=True)
    for tool in ("apt-get", "dpkg-deb"):
        command(folder / "bin", tool, "echo no such mirror; exit 100")
    if emulator:
        command(folder / "bin", "qemu-aarch64-static", emulator)
    return subprocess.run(
        [sys.executable, "-m", "tools.one_answer_arm", "--folder", folder / "kept", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": str(folder / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_equal_digests(tmp_path):
    """By the copy of the kernels in the folder, where its compiled ones lie too."""
    here = f'shift 3; exec {sys.executable} "$@"'
    done = run(tmp_path, here, "--operators", "hardmax", "--dtypes", "float32", "float16")
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert [line.partition(",")[0] for line in said[:2]] == [
        "hardmax float32: 18 of 18 equal",
        "hardmax float16: 18 of 18 equal",
    ]
    assert said[2:] == ["36 of 36 digests are those of the table"]
    assert list((tmp_path / "kept").rglob("kernels-*/*"))


def test_digests_that_differ(tmp_path):
    found = HARDMAX | {WRONG: "0123456789abcdef"}
    done = run(tmp_path, f"echo '{json.dumps(found)}'", "--operators", "hardmax")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == ["17 of 18 digests are those of the table", f"differs: {WRONG}"]


def test_an_emulator_that_dies(tmp_path):
    """What never came is no equal digest, and what it said is to be seen."""
    done = run(tmp_path, "echo Illegal instruction >&2; exit 132", "--operators", "hardmax")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "0 of 18 digests are those of the table",
        *(f"no result: {key}" for key in HARDMAX),
    ]
    assert done.stderr == "Illegal instruction\n"


def test_no_emulator(tmp_path):
    done = run(tmp_path, None)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "needs qemu-aarch64-static: apt install qemu-user-static\n"


def test_packages_that_cannot_be_had(tmp_path):
    """The command that failed is told, and nothing half unpacked is taken for whole the next time."""
    done = run(tmp_path, "exit 1", unpacked=["site"])
    assert done.returncode == 2
    assert "apt-get" in done.stderr
    assert "no such mirror" in done.stderr
    assert not (tmp_path / "kept" / "root").exists()


@pytest.mark.parametrize("arguments", [["--dtypes", "int8"], ["--operators", "softmin"]])
def test_what_the_table_does_not_have(tmp_path, arguments):
    done = run(tmp_path, "exit 0", *arguments)
    assert done.returncode == 2
    assert f"invalid choice: '{arguments[1]}'" in done.stderr
