"""
examples/onnxruntime_web: onnxruntime-web's WebAssembly in Node and in a browser.

Needs Node and, but for the arrays, onnxruntime-web: `npm install` in the example's folder, or the path of a
node_modules with it as SOFTOPS_NODE_MODULES.
"""

import functools
import http.server
import json
import os
import runpy
import shlex
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from chromium import Page, executable

from softops.cli.main import run
from softops.conformance.elsewhere.saved_arrays import write_arrays
from softops.conformance.runtimes.isolated import close
from softops.conformance.runtimes.loading import load
from softops.conformance.runtimes.names import get_runtime
from softops.export import classifier_head
from softops.export.sources.arrays import read_npz

EXAMPLE = Path(__file__).parents[3] / "examples" / "onnxruntime_web"
MODULES = Path(os.environ.get("SOFTOPS_NODE_MODULES", EXAMPLE / "node_modules"))
VERSION = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]["onnxruntime-web"]
NODE = shutil.which("node")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

node = pytest.mark.skipif(NODE is None, reason="Node is not installed")
web = pytest.mark.skipif(
    NODE is None or not (MODULES / "onnxruntime-web").is_dir(),
    reason="Node or onnxruntime-web is not installed",
)


@pytest.fixture
def example(tmp_path):
    """A copy of the example that has its packages."""
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "digits.*"))
    if MODULES.is_dir():
        (folder / "node_modules").symlink_to(MODULES.resolve())
    return folder


def ran(*arguments, **options):
    done = subprocess.run(
        [NODE, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@node
def test_arrays_are_read_and_written_as_numpy_does(example, tmp_path):
    arrays = {
        f"{dtype}-{'x'.join(map(str, shape))}": np.arange(np.prod(shape, dtype=int))
        .astype(dtype)
        .reshape(shape)
        for dtype in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
        for shape in ((), (3,), (0, 2), (2, 3, 4))
    }
    write_arrays(tmp_path / "in.npz", arrays | {"n" * 200: np.ones(1)})
    (example / "copy.mjs").write_text("""
        import { readFileSync, writeFileSync } from "node:fs";
        import { readNpz, writeNpz } from "./npz.mjs";
        const names = { dtype: "U", shape: [2, 1], data: ["\\u00e9t\\u00e9 \\u{1F600}", ""] };
        writeFileSync(process.argv[3], writeNpz({ ...readNpz(readFileSync(process.argv[2])), names }));
    """)
    ran(example / "copy.mjs", tmp_path / "in.npz", tmp_path / "out.npz")
    found = read_npz(tmp_path / "out.npz")
    assert found.pop("names").tolist() == [["\u00e9t\u00e9 \U0001f600"], [""]]
    assert found.pop("n" * 200).tolist() == [1]
    assert found.keys() == arrays.keys()
    for name, x in arrays.items():
        assert (found[name].dtype, found[name].shape) == (x.dtype, x.shape)
        assert found[name].tobytes() == x.tobytes()


@web
def test_a_dumped_folder_is_run_and_judged(example, tmp_path, capsys):
    folder, chosen = tmp_path / "cases", ["--ops", "Softmax,TopK", "--opsets", "11,13", "--quick"]
    families = ["--families", "gaussian-3,ties,non-contiguous"]
    assert run(["conformance", "dump", str(folder), *chosen, *families]) == 0
    said = ran(example / "run.mjs", folder)
    assert f"onnxruntime-web {VERSION}" in said
    capsys.readouterr()
    assert run(["conformance", "check", str(folder), "--name", f"onnxruntime-web {VERSION} wasm"]) == 0
    assert f"onnxruntime-web {VERSION} on wasm" in capsys.readouterr().out


@web
def test_its_known_findings_are_found(example, tmp_path, capsys):
    folder = tmp_path / "cases"
    chosen = ["--ops", "Sigmoid,Hardmax", "--opsets", "13", "--dtypes", "float32", "--quick"]
    assert run(["conformance", "dump", str(folder), *chosen]) == 0
    ran(example / "run.mjs", folder)
    report = ["--report", str(tmp_path / "report")]
    run(["conformance", "check", str(folder), "--name", f"onnxruntime-web {VERSION} wasm", *report])
    cases = json.loads((tmp_path / "report" / "report.json").read_text())["cases"]
    wrong = {(case["op"], case["verdict"]) for case in cases if case["outcome"] == "wrong"}
    assert ("Hardmax", "equal") in wrong  # no 1 for a NaN
    assert "Sigmoid" in {op for op, _ in wrong}  # absolute precision, not relative
    assert "Softmax" not in {op for op, _ in wrong}


@web
def test_it_answers_case_after_case(example, capsys):
    command = f"cmd: {shlex.join([NODE, str(example / 'batch.mjs'), '{folder}'])}"
    chosen = ["--ops", "Softmax", "--opsets", "13", "--families", "gaussian-3,nan-first", "--quick"]
    assert run(["conformance", "--runtime", command, *chosen]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert " passes: " in said
    assert "unsupported" in said  # bfloat16


@web
def test_exported_heads_run_there(example):
    random = np.random.default_rng(0)
    weight, x = random.normal(size=(3, 4)).astype("f4"), random.normal(size=(5, 4)).astype("f4")
    logits = x.astype("f8") @ weight.T
    e = np.exp(logits - logits.max(1, keepdims=True))
    expected = e / e.sum(1, keepdims=True)
    names = np.array(["a", "b\u00e9", "c"])
    order = np.argsort(-expected, 1)[:, :2]
    runtime = get_runtime(f"cmd: {shlex.join([NODE, str(example / 'batch.mjs'), '{folder}'])}")
    try:
        for opset in range(9, 22):
            model = classifier_head(
                weight, labels=names.tolist(), top_k=2, threshold=0.6, abstain_label="none", opset=opset
            )
            outputs = dict(
                zip(
                    [value.name for value in model.graph.output],
                    load(runtime, model.SerializeToString())({"features": x}),
                    strict=True,
                )
            )
            np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-6)
            sure = expected.max(1) >= 0.6
            assert 0 < sure.sum() < len(x)
            assert outputs["label"].tolist() == np.where(sure, names[expected.argmax(1)], "none").tolist()
            assert outputs["top_k_labels"].tolist() == names[order].tolist()
    finally:
        close(runtime)


@pytest.fixture
def address(example):
    """Where the example's folder is served."""
    pytest.importorskip("sklearn")
    runpy.run_path(str(example / "make_head.py"))
    handler = functools.partial(QuietHandler, directory=str(example))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@web
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed to look at the page with")
def test_the_page_shows_labels_and_bars(address, example, tmp_path):
    digits = json.loads((example / "digits.json").read_text())
    page = Page(tmp_path / "profile")
    try:
        page.look(390, 844)
        page.call("Page.navigate", url=f"{address}/index.html")
        wait_for(page, "document.querySelectorAll('#bars li').length === 10")
        seen = []
        for digit in digits:
            seen.append((digit["name"], page.ask("document.querySelector('#label').textContent")))
            page.ask(
                "window.before = document.querySelector('#bars').firstChild; document.querySelector('#next').click()"
            )
            wait_for(page, "document.querySelector('#bars').firstChild !== window.before")
        right = [label == name for name, label in seen]
        assert sum(right) > 0.8 * len(seen)
        assert {label for _, label in seen} <= {*NAMES, "not sure"}
        numbers = page.ask("[...document.querySelectorAll('.number')].map(e => parseFloat(e.textContent))")
        assert numbers == sorted(numbers, reverse=True)
        assert sum(numbers) == pytest.approx(100, abs=0.6)
        widths = page.ask("[...document.querySelectorAll('.track span')].map(e => parseFloat(e.style.width))")
        np.testing.assert_allclose(widths, numbers, atol=0.06)
        assert page.ask("document.documentElement.scrollWidth") <= 390
        assert "onnxruntime-web" in page.ask("document.querySelector('#state').textContent")
        assert f" {VERSION}" in page.ask("document.querySelector('#state').textContent")
        asked = [
            e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"
        ]
        assert asked
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)
    finally:
        page.close()


def wait_for(page, script):
    deadline = time.monotonic() + 30
    while not page.ask(script):
        assert time.monotonic() < deadline, page.ask("document.body.textContent")
        time.sleep(0.02)
