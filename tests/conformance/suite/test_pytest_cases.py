"""`pytest --pyargs softops.conformance --runtime NAME`: the suite's cases as tests."""

import subprocess
import sys
from importlib.metadata import entry_points

# An installed softops brings its plugin along; a checkout on the path alone does not.
PLUGIN = () if entry_points(group="pytest11", name="softops") else ("-p", "softops.cli.pytest_plugin")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *PLUGIN, "-q")


def outcome(tmp_path, *arguments):
    command = [*PYTEST, "--pyargs", "softops.conformance", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_right_cases_pass(tmp_path):
    asked = (
        "--runtime",
        "softops",
        "--ops",
        "Softmax",
        "--opsets",
        "13",
        "--dtypes",
        "float32",
        "--depth",
        "quick",
    )
    code, text = outcome(tmp_path, *asked)
    assert code == 0, text
    assert "passed" in text


def test_wrong_cases_fail_with_their_verdict(tmp_path):
    asked = ("--ops", "LogSoftmax", "--opsets", "13", "--dtypes", "float16", "--families", "gaussian-1000")
    command = f"cmd: {sys.executable} -c pass {{model}} {{inputs}} {{outputs}}"
    code, text = outcome(tmp_path, "--runtime", command, *asked, "--depth", "quick")
    assert code == 1
    assert "crashed: expected" in text


def test_a_runtime_must_be_named(tmp_path):
    code, text = outcome(tmp_path)
    assert code != 0
    assert "expected --runtime NAME" in text
