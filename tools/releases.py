"""
``python -m tools.releases RUNTIME OLDER NEWER --folder FOLDER``: what changed between two releases of a runtime.

The suite is run in both: in environments that are made in the folder, each with pip and the release named, or in those
of ``--python``, where this softops is installed. With ``--docs`` the section of the page is written anew; the
other runtimes' stay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.results import write_atomically
from softops.conformance import SuiteReport

from .environments import installed, interpreter
from .releases_page import section, with_section

PACKAGES = {"onnxruntime": "onnxruntime", "onnx.reference": "onnx", "openvino": "openvino", "torch": "torch"}
"""The runtimes whose deviations are listed, and the package that each comes in."""

_TOLD = (0, 1)
"""Exit codes of a run that was judged: right or not."""

_SUITE = "from softops.cli.main import main; main()"


def run(
    runtime: Annotated[str, typer.Argument(help=f"One of {', '.join(PACKAGES)}.")],
    releases: Annotated[list[str] | None, typer.Argument(help="Two releases, the older one first.")] = None,
    *,
    folder: Annotated[Path, typer.Option(help="Where environments are made, and reports written.")],
    python: Annotated[
        list[Path] | None, typer.Option(help="An interpreter with a release and this softops; twice.")
    ] = None,
    docs: Annotated[Path | None, typer.Option(help="The page to write the section of; else printed.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer cases.")] = False,
) -> None:
    """Run the suite in two releases and tell what changed."""
    if runtime not in PACKAGES:
        message = f"expected one of {', '.join(PACKAGES)} (got {runtime!r}); name one of these"
        raise SystemExit(message)
    named, given = releases or [], python or []
    if sorted((len(named), len(given))) != [0, 2]:
        message = (
            f"expected two releases, or --python twice (got {len(named)} releases, {len(given)} "
            "interpreters); name for instance 1.31.1 1.32.0"
        )
        raise SystemExit(message)
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    interpreters = [environment(folder, PACKAGES[runtime], release) for release in named] or given
    older, newer = (
        judged(path, runtime, folder / f"report-{runtime}-{place}", quick=quick)
        for place, path in zip(named or ("older", "newer"), interpreters, strict=True)
    )
    text = section(older, newer)
    print(text)
    if docs is not None:
        write_atomically(docs, with_section(docs.read_text("utf-8"), text))


def environment(folder: Path, package: str, release: str) -> Path:
    """Make an environment with this softops and a release of a package, unless it is there; return its interpreter."""
    home = folder / f"{package}-{release}"
    place = interpreter(home)
    if not _has(place, package, release):
        done = installed(home, [f"{package}=={release}"], folder / "source")
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            message = (
                f"expected pip to install {package} {release} beside softops (it did not, see above); "
                "name another release, or environments of your own with --python"
            )
            raise SystemExit(message)
    return place


def judged(python: Path, runtime: str, report: Path, *, quick: bool) -> SuiteReport:
    """Run the suite by an interpreter, and return its report, which is written into a folder."""
    command = [str(python), "-c", _SUITE, "conformance", "--runtime", runtime, "--report", str(report)]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], cwd=report.parent, check=False)
    if done.returncode not in _TOLD:
        message = (
            f"expected softops conformance to judge {runtime} by {python} (it exited with {done.returncode}, "
            "see above); install this softops and the runtime there"
        )
        raise SystemExit(message)
    return SuiteReport.from_json((report / "report.json").read_text("utf-8"))


def _has(python: Path, package: str, release: str) -> bool:
    """Tell whether an environment is whole: a release of a package, and softops, which comes with it."""
    if not python.exists():
        return False
    code = f"from importlib.metadata import version; version('softops'); print(version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip().partition("+")[0] == release.partition("+")[0]


if __name__ == "__main__":
    typer.run(run)
