"""Programs as runtimes: started once, asked by lines."""

import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from softops import conformance
from softops.cli.main import run
from softops.conformance.cases.build import built, material
from softops.conformance.cases.case import Case
from softops.conformance.elsewhere.batch import BatchRuntime
from softops.conformance.errors import (
    ModelNotRunError,
    ModelNotSupportedError,
    RuntimeUnusableError,
)
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.suite import suite

CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")
EXAMPLE = Path(__file__).parents[3] / "examples" / "batch_runtime.py"
ASKED = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "families": ["gaussian-3"], "quick": True}

# onnxruntime, with a line to do what a test wants before each answer; `count` is the number of the request.
PROGRAM = """
import json, os, sys, time
import numpy as np
import onnxruntime
open(sys.argv[1], "a").write("started\\n")
for count, line in enumerate(sys.stdin):
    case = json.loads(line)
    session = onnxruntime.InferenceSession(case["model"], providers=["CPUExecutionProvider"])
    with np.load(case["inputs"]) as feeds:
        feeds = dict(feeds)
    outputs = dict(zip([y.name for y in session.get_outputs()], session.run(None, feeds)))
    {line}
    np.savez(case["outputs"], **outputs)
    print("ok", flush=True)
"""


pytest.importorskip("onnxruntime")


@pytest.fixture
def batch(tmp_path):
    """batch(line) -> the runtime of PROGRAM; batch.starts() -> how often it was started."""
    made = []

    def make(line="pass", **options):
        path, log = tmp_path / "program.py", tmp_path / "log"
        path.write_text(PROGRAM.replace("{line}", line))
        make.starts = lambda: len(log.read_text().splitlines())
        command = shlex.join([sys.executable, str(path), str(log), "{folder}"])
        make.name = f"cmd: {command}"
        made.append(BatchRuntime(command, **options))
        return made[-1]

    yield make
    for runtime in made:
        runtime.close()


def test_a_program_is_started_once_for_all_cases(batch):
    report = conformance.run(batch(), **ASKED)
    assert report.passed, report.unexpected[0].message
    assert report.compared > 10
    assert batch.starts() == 1
    assert report.runtime == batch.name


def test_the_example_in_python(capsys):
    command = f"cmd: {shlex.join([sys.executable, str(EXAMPLE), '{folder}'])}"
    asked = ["--ops", "Softmax", "--opsets", "13", "--families", "gaussian-3", "--quick"]
    assert run(["conformance", "--runtime", command, *asked]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert " passes: " in said
    assert "unsupported" in said  # bfloat16, which NumPy's files have no name for


def test_lines_of_its_own_are_passed_over(batch):
    run_model = load(batch("print('INFO: warming up\\n\\nokay?', flush=True)"), built(CASE)[0])
    (y,) = run_model(built(CASE)[1])
    np.testing.assert_allclose(y, material(CASE).expected["output"], rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("print('unsupported: no Softmax', flush=True); continue", ModelNotSupportedError, "no Softmax"),
        ("print('error out of memory', flush=True); continue", ModelNotRunError, "out of memory"),
        ("print('error', flush=True); continue", ModelNotRunError, "answered error without a reason"),
        ("print('ok', flush=True); continue", ModelNotRunError, "before it answers ok"),
        ("sys.exit('no more')", ModelNotRunError, "ended with exit code 1: no more"),
        ("sys.exit(0)", ModelNotRunError, "read lines until its input ends"),
        ("os.kill(os.getpid(), 11)", ModelNotRunError, "ended by SIGSEGV"),
        ("outputs = {'y': outputs['output']}", ModelNotRunError, "named 'output'"),
    ],
)
def test_what_it_answers(batch, line, error, said):
    model, feeds = built(CASE)
    with pytest.raises(error, match=said) as caught:
        load(batch(line), model)(feeds)
    assert type(caught.value) is error


def test_one_that_dies_is_started_again_for_the_next_case(batch):
    runtime = batch("if len(feeds['input']) == 2: os._exit(9)")
    listed = [Case(**{**vars(CASE), "shape": (rows, 5)}) for rows in (3, 2, 4, 2, 5)]
    report = suite.run_cases(runtime, listed)
    assert [record.outcome for record in report.cases] == ["right", "crashed", "right", "crashed", "right"]
    assert "exit code 9" in report.cases[1].message
    assert batch.starts() == 3


def test_one_that_hangs_is_stopped_with_its_children_and_started_again(batch, tmp_path):
    child = (
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '60')))"
    )
    runtime = batch(f"if len(feeds['input']) == 2: print('thinking', flush=True); {child}; time.sleep(60)")
    listed = [Case(**{**vars(CASE), "shape": (rows, 5)}) for rows in (3, 2, 4)]
    report = suite.run_cases(runtime.limited(1), listed)
    assert [record.outcome for record in report.cases] == ["right", "hung", "right"]
    assert "within 1 seconds; the last line of its output was 'thinking'" in report.cases[1].message
    number = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while is_running(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(number)


def is_running(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_time_limit_of_a_run_is_that_of_each_case(batch):
    batch("if len(feeds['input']) == 2: time.sleep(60)")
    listed = [Case(**{**vars(CASE), "shape": (rows, 5)}) for rows in (3, 2, 4)]
    report = suite.run_cases(batch.name, listed, time_limit=1.5)
    assert [record.outcome for record in report.cases] == ["right", "hung", "right"]
    assert "within 1.5 seconds" in report.cases[1].message


def test_several_processes_have_a_program_each(batch, monkeypatch):
    monkeypatch.setattr(suite, "WORTH_CASES", 1)
    batch()
    report = conformance.run(batch.name, **{**ASKED, "dtypes": ["float32", "float64"]}, jobs=2)
    assert report.passed, report.unexpected[0].message
    assert batch.starts() in (1, 2)


def test_its_folder_is_taken_away(batch, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = tmp_path / "seen"
    runtime = batch(f"open({str(seen)!r}, 'w').write(case['inputs'])")
    conformance.run(runtime, **ASKED)
    folder = Path(seen.read_text()).parent
    assert folder.is_relative_to(tmp_path)
    assert not folder.exists()


def test_a_model_has_one_path_as_long_as_it_is_asked_for(batch, tmp_path):
    seen = tmp_path / "seen"
    runtime = batch(f"open({str(seen)!r}, 'a').write(case['model'] + chr(10))")
    others = [built(Case(**{**vars(CASE), "shape": (rows, 5)})) for rows in (3, 4)]
    runs = [load(runtime, model) for model, _ in others]
    for run_model, (_, feeds) in zip(runs * 2, others * 2, strict=True):
        run_model(feeds)
    first, second, *again = seen.read_text().split()
    assert first != second
    assert again == [first, second]


@pytest.mark.parametrize("places", ["{folder}", "{model} {inputs} {outputs}"])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "./no-such-program",
            "expected a program that can be started (got './no-such-program': No such file",
        ),
        ("env no-such-program", "env ended with exit code 127: env: "),
        (f"{shlex.quote(sys.executable)} no-such-file.py", "can't open file"),
    ],
)
def test_a_program_that_cannot_start_ends_the_run_in_a_line(places, command, said, capsys):
    arguments = [
        "--runtime",
        f"cmd: {command} {places}",
        "--ops",
        "Hardmax",
        "--dtypes",
        "float32",
        "--quick",
    ]
    assert run(["conformance", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_program_that_cannot_start_in_several_processes(monkeypatch):
    monkeypatch.setattr(suite, "WORTH_CASES", 1)
    with pytest.raises(RuntimeUnusableError, match="can be started"):
        conformance.run("cmd: ./no-such-program {folder}", **ASKED, jobs=2)


@pytest.mark.parametrize("chatter", ["print('busy', flush=True)", "sys.stdout.write('x' * 10**6)"])
def test_one_that_talks_without_end_is_stopped(batch, chatter):
    runtime = batch(f"while count: {chatter}", seconds=1)
    report = suite.run_cases(runtime, [CASE])
    assert report.counts["hung"] == 1  # the second run of a case is the one that does not end
    assert len(report.cases[0].message) < 500


def test_what_it_said_of_earlier_cases_is_not_what_it_died_of(batch):
    runtime = batch("print('fine', file=sys.stderr) if count == 0 else sys.exit('no \\u00e9nergie')")
    model, feeds = built(CASE)
    load(runtime, model)(feeds)
    with pytest.raises(ModelNotRunError) as caught:
        load(runtime, model)(feeds)
    assert caught.value.detail == "no \u00e9nergie"


def test_an_answer_without_a_question_is_passed_over(batch):
    runtime = batch("""
    if count == 0:
        print('error old\\nerror older', flush=True)
        continue""")
    model, feeds = built(CASE)
    with pytest.raises(ModelNotRunError, match="old"):
        load(runtime, model)(feeds)
    deadline = time.monotonic() + 20
    while runtime._program._answers.empty():
        assert time.monotonic() < deadline
    (y,) = load(runtime, model)(feeds)
    np.testing.assert_allclose(y, material(CASE).expected["output"], rtol=1e-6)


def test_one_that_ends_after_each_answer_is_started_again(batch):
    runtime = batch("np.savez(case['outputs'], **outputs); print('ok', flush=True); break")
    for _ in range(3):
        (y,) = load(runtime, built(CASE)[0])(built(CASE)[1])
        np.testing.assert_allclose(y, material(CASE).expected["output"], rtol=1e-6)
        runtime._program._process.wait()
    assert batch.starts() == 3


def test_it_is_chosen_by_its_place():
    assert isinstance(get_runtime("cmd: ./tool {folder}"), BatchRuntime)
    with pytest.raises(ValueError, match=r"or with \{folder\}"):
        get_runtime("cmd: ./tool")
