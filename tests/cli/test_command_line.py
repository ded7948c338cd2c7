"""The command as a process: what it prints, how it exits, what it does not import."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from softops.cli.errors import explain
from softops.cli.main import run

SOFTOPS = Path(sys.executable).with_name("softops")
HEAVY = {"numpy", "numba", "llvmlite", "onnx", "onnxruntime", "ml_dtypes", "jinja2"}


def softops(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SOFTOPS, *arguments], capture_output=True, text=True, cwd=cwd, check=False, timeout=120
    )


def test_version_is_the_one_installed():
    done = softops("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"softops {version('softops')}\n", "")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command(arguments):
    done = softops(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("demo", "validate", "export"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["demo", "--help"], ["export", "head", "--help"]]
)
def test_nothing_heavy_is_imported_to_answer(arguments):
    program = (
        "import json, sys; from softops.cli.main import run; code = run(json.loads(sys.argv[1]));"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(arguments)], capture_output=True, text=True, check=True
    )
    code, imported = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert "typer" in imported
    assert not HEAVY & set(imported)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["demo", "--nonsense"], "No such option: --nonsense"),
        (["validate"], "Missing argument 'MODEL'"),
        (["export", "nonsense"], "No such command 'nonsense'"),
        (["export", "head", "weights.npz"], "Missing option '--out'"),
        (["export", "head", "weights.npz", "-o", "head.onnx", "--opset", "many"], "'--opset'"),
    ],
)
def test_bad_usage_is_one_line(arguments, said, capsys):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: ")
    assert said in err
    assert "--help" in err
    assert err.count("\n") == 1


def test_an_expected_error_leaves_the_process_with_code_2_and_one_line(tmp_path):
    done = softops("validate", "missing.onnx", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("softops: ")
    assert "missing.onnx" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def interruptible():
    """A shell starts a job in the background with SIGINT ignored, and the children of that job inherit it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to a child")
def test_an_interrupt_is_one_line_and_leaves_no_file(tmp_path):
    child = subprocess.Popen(
        [SOFTOPS, "demo", "--out", "folder"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "folder").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "softops: interrupted\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_a_callback_swallows_is_repeated():
    program = """if True:
        import ctypes, time
        from softops.cli import main

        @ctypes.CFUNCTYPE(None)
        def callback():
            raise KeyboardInterrupt

        def command(arguments, **options):
            callback()
            for _ in range(3000):
                time.sleep(0.01)

        main.app = command
        main.main()
        """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (130, "softops: interrupted\n")


def test_a_defect_keeps_its_traceback():
    assert explain(AttributeError("'NoneType' has no attribute 'shape'")) is None
    assert explain(KeyError("weight")) is None
    assert explain(ModuleNotFoundError("No module named 'numpy'")) is None


def test_a_long_message_becomes_one_line():
    assert explain(ValueError("expected\n   this,\n\tgot that")) == "expected this, got that"


def test_an_error_without_a_message_is_named():
    assert explain(ValueError()) == "ValueError"


def test_a_file_error_names_the_file():
    assert (
        explain(FileNotFoundError(2, "No such file or directory", "x.npz"))
        == "x.npz: no such file or directory"
    )
    assert explain(OSError(28, "No space left on device")) == "no space left on device"


def test_a_compiler_that_is_turned_off_is_a_line(tmp_path):
    done = subprocess.run(
        [SOFTOPS, "demo"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=120,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
    )
    assert done.returncode == 2
    assert re.fullmatch(
        r"softops: kernels run compiled \(got NUMBA_DISABLE_JIT=1.*unset NUMBA_DISABLE_JIT\n", done.stderr
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
