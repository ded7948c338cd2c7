"""What a report says of the precision that a runtime chose: on its first line, and why results are off."""

import pytest

from softops.conformance.measure.precision import Precision, heading, short_name


@pytest.mark.parametrize(
    ("computes_in", "runs_on", "line"),
    [
        (["bf16"], ["CPU"], "r 1 on CPU, computed in bfloat16"),
        (["f32"], ["CPU"], "r 1 on CPU, computed in float32"),
        (["bf16", "f32"], ["CPU", "GPU"], "r 1 on CPU or GPU, computed in bfloat16 or float32"),
        (["own"], [], "r 1, computed in the model's own types"),
        (["e4m3"], [], "r 1, computed in e4m3"),
        ([""], ["CUDA"], "r 1 on CUDA, computed in a precision that it does not report"),
        ([""], [""], "r 1"),
        ([], [], "r 1"),
    ],
)
def test_the_first_line_names_what_was_seen(computes_in, runs_on, line):
    assert heading("r", "1", computes_in, runs_on) == line


@pytest.mark.parametrize("full", ["f32", "float32", "own", "dynamic", "undefined", "f64", "float64", ""])
def test_float32_and_more_and_what_nobody_tells_are_no_cause(full):
    precision = Precision(short_name(full), "", "precision=f32")
    assert not precision.is_less
    assert precision.cause("r") == ""


@pytest.mark.parametrize("name", ["bf16", "bfloat16"])
def test_the_cause_of_a_choice_of_its_own_names_the_cure(name):
    cause = Precision(short_name(name), "CPU", "precision=f32").cause("r")
    assert cause == "r ran in bfloat16, its default on this processor; r:precision=f32 asks for float32"


def test_what_the_user_chose_is_not_cured():
    cause = Precision("f16", "CPU").cause("r")
    assert "float16" in cause
    assert "default" not in cause
    assert "asks for" not in cause


def test_of_a_provider_that_does_not_tell_the_providers_are_named():
    cause = Precision("", "CUDAExecutionProvider, CPUExecutionProvider", "provider=CPU").cause("r")
    assert "CUDAExecutionProvider, CPUExecutionProvider, whose precision it does not report" in cause
    assert cause.endswith("r:provider=CPU asks for float32")
    assert Precision("", "CPU").cause("r") == ""
