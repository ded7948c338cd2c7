"""
What a release of a runtime can read: the newest opset, IR version and ai.onnx.ml opset of each.

onnxruntime refuses a model whose IR version or whose opset of a released domain is newer than the ONNX it
was built with, whatever operators the model holds; an older one it reads down to opset 7.

Sources
-------
Up to 1.14 the table of https://onnxruntime.ai/docs/reference/compatibility.html, which ends at 1.20. From
1.15 on what the CPU wheels do: for the first release of each minor version, sessions were made of models of
one node at rising opsets, IR versions and versions of ai.onnx.ml. Where the two differ the wheels read more
than the page says: IR 9 in 1.15, and ai.onnx.ml 5 in 1.18 to 1.20.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import NamedTuple

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)*(?:[.+-]?[a-z][\w.+]*)?", re.ASCII)


class Readable(NamedTuple):
    """The newest that a runtime reads: opset of ai.onnx, IR version, opset of ai.onnx.ml."""

    opset: int
    ir_version: int
    ml_opset: int


# The first release that reads so much; those in between read as much as the one before them.
_ONNXRUNTIME = {
    (0, 1): Readable(8, 3, 1),
    (0, 3): Readable(9, 3, 1),
    (0, 4): Readable(10, 5, 1),
    (1, 0): Readable(11, 6, 2),
    (1, 3): Readable(12, 7, 2),
    (1, 6): Readable(13, 7, 2),
    (1, 8): Readable(14, 7, 2),
    (1, 9): Readable(15, 8, 2),
    (1, 11): Readable(16, 8, 2),
    (1, 12): Readable(17, 8, 3),
    (1, 14): Readable(18, 8, 3),
    (1, 15): Readable(19, 9, 3),
    (1, 17): Readable(20, 9, 4),
    (1, 18): Readable(21, 10, 5),
    (1, 21): Readable(22, 10, 5),
    (1, 23): Readable(23, 11, 5),
    (1, 24): Readable(25, 13, 5),
    (1, 25): Readable(26, 13, 5),
    (1, 32): Readable(28, 14, 5),
}
_MINOR_RELEASES = {0: range(1, 6), 1: range(33)}
"""The minor releases up to the newest of the table, by major version."""
_KNOWN = " and ".join(
    f"{major}.{min(made)} to {major}.{max(made)}" for major, made in _MINOR_RELEASES.items()
)


def readable_by(release: str) -> Readable:
    """
    Return the newest opset, IR version and ai.onnx.ml opset that a release of a runtime reads.

    Parameters
    ----------
    release
        As pip writes it: ``"onnxruntime==1.17"`` or ``"onnxruntime==1.17.3"``; onnxruntime is the one runtime
        whose releases are in the table. Without a version it is the installed one. Patch releases read what their
        minor release reads, and an installed one that is newer than the table what the newest in it does, since
        newer releases read all that older ones do.

    Raises
    ------
    LookupError
        The runtime is not in the table, or the release is neither in it nor installed.
    ValueError
        ``release`` is not of the form ``NAME==VERSION``, or a ``NAME`` that is not installed.
    """
    name, version = _name_and_version(release)
    if name != "onnxruntime":
        message = (
            f"expected a runtime whose releases are known here: onnxruntime, {_KNOWN} (got {name!r}); "
            "name one of these"
        )
        raise LookupError(message)
    major, minor = _minor(name, version)
    if minor not in _MINOR_RELEASES.get(major, ()) and not _is_installed(name, (major, minor)):
        message = (
            f"expected a release of {name} that is known here, {_KNOWN}, or the installed one (got {version!r}); "
            "name one of these: a later release reads what an earlier one does"
        )
        raise LookupError(message)
    return _ONNXRUNTIME[max(first for first in _ONNXRUNTIME if first <= (major, minor))]


def minor_release(release: str) -> tuple[str, int, int]:
    """Return name, major and minor version of ``"onnxruntime==1.17"``; raises a ValueError as `readable_by`."""
    name, version = _name_and_version(release)
    return name, *_minor(name, version)


def _name_and_version(release: str) -> tuple[str, str]:
    name, given, version = release.partition("==") if isinstance(release, str) else ("", "", "")
    if name.strip() and not given:
        version = _installed(name.strip())
    if not version.strip():
        message = (
            f"expected a runtime and its version such as onnxruntime==1.17 (got {release!r}); join them by ==, "
            f"with a release of {_KNOWN}"
        )
        raise ValueError(message)
    return name.strip().lower(), version


def _is_installed(name: str, minor: tuple[int, int]) -> bool:
    """Whether the installed release of a runtime is this minor one, newer than the table."""
    newest = max(_MINOR_RELEASES)
    if minor <= (newest, max(_MINOR_RELEASES[newest])):
        return False
    installed = _installed(name)
    return bool(installed) and _minor(name, installed) == minor


def _installed(name: str) -> str:
    """The version of a package that is installed; empty where it is not."""
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def _minor(runtime: str, version: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(version.strip().lower())
    if found is None:
        message = (
            f"expected a version of {runtime} such as 1.17 or 1.17.3 (got {version!r}); "
            f"name one release of {_KNOWN}"
        )
        raise ValueError(message)
    return int(found[1]), int(found[2])
