"""Objects in a process of their own: what cannot be sent there is told, with the cure."""

import multiprocessing

import pytest
from planted import DiesOnArrival, Planted

from softops import conformance
from softops.conformance.errors import RuntimeUnusableError

ASKED = {"ops": ["Softmax"], "opsets": [13], "dtypes": ["float32"], "families": ["ties"], "quick": True}


def test_an_object_that_cannot_be_sent_is_refused_before_anything_is_run():
    class Local(Planted):
        name = "local"

        def run(self, model, feeds):
            pytest.fail("it was run")

    with pytest.raises(
        TypeError, match=r"sent to a process of its own \(got local: .*at the top of a module"
    ):
        conformance.run(Local(), **ASKED, time_limit=9)
    with pytest.raises(TypeError, match="module:attribute"):
        conformance.run(Planted(Softmax=lambda x, node: x), **ASKED, time_limit=9)


def test_an_object_that_does_not_arrive_ends_the_run():
    before = set(multiprocessing.active_children())
    with pytest.raises(RuntimeUnusableError, match="define a runtime of your own in a module"):
        conformance.run(DiesOnArrival(), **ASKED, time_limit=9)
    assert set(multiprocessing.active_children()) <= before


def test_an_object_that_arrives_is_run_there():
    report = conformance.run(Planted(), **ASKED, time_limit=60)
    assert report.passed
    assert report.compared == len(report.cases) > 0
