"""The suite and evaluations on a cluster of two worker processes."""

import dataclasses
import multiprocessing
import os
import sys
import threading
import time
from types import ModuleType

import dask
import pytest
from datasets import FORMS as DATASETS
from datasets import X, Y, model, told, write
from distributed import Client, LocalCluster
from planted import Deadly, FailsLate, Rounded, Slow

from softops import conformance
from softops.cli.main import run
from softops.conformance import evaluate
from softops.conformance.cases.case import Case
from softops.conformance.errors import ClusterError, ModelNotRunError, RuntimeUnusableError
from softops.conformance.suite import suite
from softops.conformance.suite.report import FORMS

ASKED = {
    "ops": ["Softmax", "ArgMax"],
    "opsets": [13],
    "dtypes": ["float32"],
    "families": ["gaussian-3", "ties"],
    "quick": True,
}
CASE = Case(op="Softmax", opset=13, dtype="float32", axis=1, shape=(3, 5), family="gaussian-3")


@pytest.fixture(scope="module")
def client():
    """A client of two workers, of one thread each; the scheduler gives up a task with the first worker that dies."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as connected,
    ):
        yield connected


def files(report, folder):
    """Every file of a report by its path, but for how long it took."""
    dataclasses.replace(report, seconds=0).write(folder)
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pids(client):
    return set(client.run(os.getpid).values())


def test_the_report_is_that_of_one_process(client, tmp_path):
    told = []
    before = pids(client)
    there = conformance.run("onnx.reference", **ASKED, dask=client, progress=lambda *now: told.append(now))
    here = conformance.run("onnx.reference", **ASKED)
    assert here.compared > 20
    found = files(there, tmp_path / "there")
    assert found == files(here, tmp_path / "here")
    assert len(found) > len(FORMS)
    count = len(here.cases)
    assert [(*now[:2], now[2].id) for now in told] == [
        (i + 1, count, record.id) for i, record in enumerate(here.cases)
    ]
    assert pids(client) == before


def test_a_worker_that_is_killed_costs_its_cases_alone(client, monkeypatch, tmp_path):
    """It is killed in the middle of a part, which is run anew; what was done is not."""
    runtime = Slow(tmp_path / "here")
    monkeypatch.setattr("softops.conformance.suite.processes._PART_CASES", 6)
    here = conformance.run(runtime, **ASKED)
    again, told, submit = [], [], client.submit
    monkeypatch.setattr(
        client, "submit", lambda *given, **named: again.append(given) or submit(*given, **named)
    )
    before = client.run(os.getpid)

    def kill():
        while not (tmp_path / "there").exists():
            time.sleep(0.01)
        busy = [address for address, keys in client.call_stack().items() if keys]
        os.kill(before[busy[0]], 9)

    killing = threading.Thread(target=kill)
    killing.start()
    there = conformance.run(
        Slow(tmp_path / "there"), **ASKED, dask=client, progress=lambda done, *_: told.append(done)
    )
    killing.join()
    assert there.cases == here.cases
    assert told == [*range(1, len(here.cases) + 1)]
    assert again
    runs = {path.name: path.read_text().count("run") for path in tmp_path.iterdir()}
    assert runs["here"] <= runs["there"] < runs["here"] + 12  # a part has two runs of six cases
    client.wait_for_workers(2)
    assert len(pids(client) & set(before.values())) == 1


def test_a_runtime_that_ends_its_process_takes_no_worker_along(client):
    """It is told of that case alone, as by processes of one machine."""
    listed = [dataclasses.replace(CASE, shape=(rows, 5)) for rows in (4, 2)]
    before = pids(client)
    there = suite.run_cases("backend:planted:DyingBackend", listed, dask=client)
    assert [record.outcome for record in there.cases] == ["right", "crashed"]
    assert "ended with code 9" in there.cases[1].message
    (alone,) = suite.run_cases("backend:planted:DyingBackend", listed[1:2], time_limit=60).cases
    assert there.cases[1] == alone
    assert pids(client) == before


@pytest.mark.slow
def test_objects_that_end_their_process_or_hang(client):
    before = pids(client)

    class Local(Deadly):
        """Of no module, so that it arrives by value."""

    local = suite.run_cases(Local(), [dataclasses.replace(CASE, shape=(2, 5))], dask=client)
    assert [record.outcome for record in local.cases] == ["crashed"]
    hung = suite.run_cases(Deadly(), [CASE], time_limit=1, dask=client)
    assert [record.outcome for record in hung.cases] == ["hung"]
    assert pids(client) == before
    assert set(client.run(lambda: len(multiprocessing.active_children())).values()) == {0}


def test_what_progress_raises_ends_the_run(client):
    with pytest.raises(ZeroDivisionError):
        conformance.run("softops", **ASKED, dask=client, progress=lambda *_: 1 / 0)
    assert client.futures == {}


@pytest.mark.slow
def test_a_runtime_that_can_run_nothing_ends_the_run(client):
    with pytest.raises(RuntimeUnusableError, match=r"no usable devices.*nothing can be run"):
        conformance.run("backend:planted:NoDevices", **ASKED, dask=client)


def test_an_object_that_cannot_be_sent_is_refused(client):
    runtime = Rounded()
    runtime.lock = threading.Lock()
    with pytest.raises(TypeError, match="sent to a worker"):
        conformance.run(runtime, **ASKED, dask=client)


def test_a_runtime_that_the_workers_have_not_is_refused(client, monkeypatch):
    gone = ModuleType("gone")
    gone.Gone = type("Gone", (Rounded,), {"__module__": "gone"})
    monkeypatch.setitem(sys.modules, "gone", gone)
    with pytest.raises(ModelNotRunError, match=r"rounded on every worker.*No module named 'gone'"):
        conformance.run(gone.Gone(), **ASKED, dask=client)
    monkeypatch.setattr(sys.modules["softops.conformance.runtimes.sent"], "version_of", lambda _: "0.9")
    with pytest.raises(ModelNotRunError, match=r"softops 0.9 on every worker \(got"):
        conformance.run("softops", **ASKED, dask=client)


def test_workers_of_another_version_are_refused(client, monkeypatch):
    """Those that are there before anything is run, and those that join later in their first task."""
    monkeypatch.setattr("softops.conformance.workers.cluster.version", lambda name: "9.9")
    with pytest.raises(ClusterError, match=r"expected softops 9.9 on every worker .*on the worker tcp"):
        conformance.run("softops", **ASKED, dask=client)
    monkeypatch.undo()
    monkeypatch.setattr("softops.conformance.suite.dask_workers.versions", lambda: {"softops": "9.9"})
    with pytest.raises(ClusterError, match=r"expected softops 9.9 on every worker"):
        conformance.run("softops", **ASKED, dask=client)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"dask": "tcp://127.0.0.1:1"}, ClusterError, "a scheduler of Dask at tcp://127.0.0.1:1"),
        ({"dask": "here"}, ClusterError, "port"),
        ({"dask": 8786}, TypeError, "the address of a scheduler"),
        ({"dask": "local", "jobs": 2}, ValueError, "leave one out"),
    ],
)
def test_what_is_no_cluster_is_named(given, error, said, monkeypatch):
    monkeypatch.setattr("softops.conformance.workers.cluster._CONNECTING_SECONDS", 0.5)
    with pytest.raises(error, match=said):
        conformance.run("softops", **ASKED, **given)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'softops\[dask\]'"):
        conformance.run("softops", **ASKED, dask="local")


def test_a_cluster_without_workers_is_refused(monkeypatch):
    monkeypatch.setattr("softops.conformance.workers.cluster._WORKER_SECONDS", 0.2)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as none,
        pytest.raises(ClusterError, match="none came within"),
    ):
        conformance.run("softops", **ASKED, dask=none)


def test_the_command_takes_an_address(monkeypatch):
    asked = []
    few = conformance.run("softops", **ASKED)
    monkeypatch.setattr("softops.conformance.run", lambda *given, dask, **named: asked.append(dask) or few)
    assert run(["conformance", "--runtime", "softops", "--dask", "tcp://127.0.0.1:8786"]) == 0
    assert asked == ["tcp://127.0.0.1:8786"]


def test_a_set_has_the_figures_of_one_process(client, tmp_path):
    """In every form; of a runtime by name, of an object, and of one that fails on the way and is left out."""
    runtimes = ["onnxruntime", Rounded(), FailsLate(X[200])]
    wanted = told(evaluate(model(), write("npz", tmp_path, {"features": X, "labels": Y}), runtimes, batch=9))
    assert "too late" in wanted
    for form in ("npz", *DATASETS):
        data = tmp_path / "npz.npz" if form == "npz" else write(form, tmp_path, {"features": X, "labels": Y})
        seen = []
        found = evaluate(
            model(),
            data,
            runtimes,
            batch=9,
            dask=client,
            progress=lambda done, _, seen=seen: seen.append(done),
        )
        assert told(found) == wanted
        assert seen == [*range(9, 333, 9), 333]


def test_a_worker_that_is_killed_changes_no_figure(client, tmp_path):
    data = write("npy", tmp_path, {"features": X, "labels": Y})
    wanted = told(evaluate(model(), data, batch=3))
    pid = next(iter(client.run(os.getpid).values()))

    def progress(done, total):
        if done == 3:
            os.kill(pid, 9)

    assert told(evaluate(model(), data, batch=3, dask=client, progress=progress)) == wanted
    client.wait_for_workers(2)


@pytest.mark.slow
def test_the_command_starts_a_cluster(capsys):
    small = ["--ops", "ArgMax", "--opsets", "13", "--dtypes", "float32", "--families", "ties", "--quick"]
    assert run(["conformance", "--runtime", "softops", "--dask", "local", *small]) == 0
    out, err = capsys.readouterr()
    assert "passes" in out
    assert err == ""
