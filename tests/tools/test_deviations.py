"""The page on deviations: it says of every list what stands in it, and finds the smallest case."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from softops.conformance.cases.grid import cases
from softops.conformance.runtimes.names import get_runtime
from softops.conformance.suite.examiner import Examiner
from softops.conformance.verdicts.known import Deviation

ROOT = Path(__file__).parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT)  # benchmarks is no part of the installed package
    from tools.deviations import entry, showing, simplest

LISTS = sorted((files("softops.conformance") / "data").glob("known-*.json"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_the_page_has_every_deviation_with_its_address_and_a_case(path):
    text = (ROOT / "docs" / "deviations.md").read_text("utf-8")
    known = json.loads(path.read_text("utf-8"))
    section = text.split(f"\n## {known['runtime']} {known['version']}\n")[1].split("\n## ")[0]
    entries = dict(part.split("\n", 1) for part in section.split("\n### ")[1:])
    assert list(entries) == [deviation["why"] for deviation in known["deviations"]]
    for deviation in known["deviations"]:
        told = entries[deviation["why"]]
        assert deviation["issue"].removesuffix(" yet") in told
        precision = deviation.get("precision", "f32")  # which no entry of a runtime without a choice has
        named = f"--runtime {known['runtime']}"
        assert f"{named} " in told or f"{named}:precision={precision} " in told, deviation["why"]
        for pattern in deviation["cases"]:
            assert f"`{pattern}`" in told


def test_what_shows_a_deviation_is_found_by_running_it():
    numpy_says = Deviation(
        cases=("ArgMax-13/float32/*/nan-last/*", "ArgMax-13/float32/*/nan-middle/*"),
        outcome="wrong",
        why="...",
    )
    listed = cases(ops=["ArgMax"], opsets=[13], dtypes=["float32"])
    found = showing(Examiner(get_runtime("onnxruntime")), listed, numpy_says)
    if not found:
        pytest.skip("this onnxruntime takes a NaN for the largest: nothing to find")
    assert [record.family for record in found] == ["nan-last", "nan-middle"]
    record = simplest(found)
    text = entry("onnxruntime", numpy_says, record)
    assert "upstream: not reported" in text
    assert f"--families {record.family}" in text


def test_what_shows_no_more_is_told():
    never = Deviation(cases=("Softmax-13/float32/*/gaussian-3/plain",), outcome="hung", why="...")
    listed = cases(ops=["Softmax"], opsets=[13], dtypes=["float32"], families=["gaussian-3"], depth="quick")
    assert showing(Examiner(get_runtime("softops")), listed, never) == []
    assert "No case shows it any more" in entry("softops", never, simplest([]))
