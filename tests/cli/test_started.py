"""Other ways to start the command than its script: the module, and completion in a shell."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
BASH = shutil.which("bash")


def shell(line, home, **variables):
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [BASH, "-c", f"{line}; exit $?"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"HOME": str(home), "PATH": path, **variables},
    )


def test_as_a_module():
    arguments = [sys.executable, "-m", "softops.cli"]
    done = subprocess.run([*arguments, "--version"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"softops {version('softops')}\n", "")
    done = subprocess.run([*arguments, "nonsense"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No such command 'nonsense'" in done.stderr
    assert done.stderr.endswith("(try 'softops --help')\n")


@pytest.mark.skipif(BASH is None, reason="there is no bash here to be completed")
def test_completion_is_installed_and_completes(tmp_path):
    done = shell("softops --install-completion", tmp_path)
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions" / "softops.sh"
    assert str(script) in (tmp_path / ".bashrc").read_text()
    assert completed(script, "softops export head --activation log", tmp_path) == ["log_softmax"]
    assert completed(script, "softops con", tmp_path) == ["convert", "conformance"]


def completed(script, line, home):
    """What bash offers for the last word of a line."""
    words = line.split()
    ask = f". {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _softops_completion softops"
    return shell(f'{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"', home).stdout.split()
