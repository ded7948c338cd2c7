"""Ctrl-C at many moments of a first call: each must end in KeyboardInterrupt and a process that still works.

    python -m tools.interrupts [--moments 400] [--seed 0]

Each moment has a process of its own, forked from one that has imported the kernels and compiled none. A third of them
compile, the others load from a disk cache that earlier ones have filled or are the first to call after the import.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

# What a process does: it says when it begins, calls, waits for the interrupt, and then calls again.
CHILD = """
import os, signal, sys, time
import numpy as np  # which cannot be imported again after an interrupt

# a shell's background process ignores interrupts, and so do those that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

def call():
    from softops import numba_kernels
    x = np.array([[0.0, np.log(3)]] * 9, np.float32)
    assert np.allclose(numba_kernels.sigmoid(x), [0.5, 0.75], rtol=1e-6, atol=0)
    assert np.allclose(numba_kernels.softmax(x), [0.25, 0.75], rtol=1e-6, atol=0)

def run():
    try:
        print("begins", flush=True)
        call()
        time.sleep(20)
        print("lost", flush=True)
        os._exit(0)
    except KeyboardInterrupt:
        pass
    except BaseException as error:
        print("raised", type(error).__name__, str(error)[:200].replace(chr(10), " "), flush=True)
        os._exit(0)
    try:
        call()
        import numba
        assert numba.njit(lambda x: x + 1)(1) == 2
        print("works", flush=True)
    except BaseException as error:
        print("broken", type(error).__name__, str(error)[:200].replace(chr(10), " "), flush=True)
    os._exit(0)
"""
FORKING = """
import softops.numba_kernels
from softops.numba_kernels.compile import cache
for line in sys.stdin:
    folder = line.strip()
    child = os.fork()
    if child == 0:
        os.environ["NUMBA_CACHE_DIR"] = folder
        cache._folders.cache_clear()
        print("is", os.getpid(), flush=True)
        run()
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Forked:
    """Processes forked one by one from one that has imported the kernels."""

    def __init__(self) -> None:
        code = CHILD + FORKING
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def interrupted(self, folder: str, after: float) -> str:
        """How a process with this cache folder ends that is interrupted so many seconds after it began."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(folder + "\n")
        self._process.stdin.flush()
        pid, said = 0, "killed"
        for line in self._process.stdout:
            word = line.strip()
            if word.startswith("is "):
                pid = int(word.split()[1])
            elif word == "begins":
                time.sleep(after)
                os.kill(pid, signal.SIGINT)
            elif word == "ended":
                return said
            else:
                said = word
        return said


def imported(folder: str, after: float) -> str:
    """The same of a process whose first call imports the kernels too."""
    environment = os.environ | {"NUMBA_CACHE_DIR": folder}
    code = CHILD + "run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stdout
    said = "killed"
    for line in process.stdout:
        word = line.strip()
        if word == "begins":
            time.sleep(after)
            process.send_signal(signal.SIGINT)
        else:
            said = word
    process.wait()
    return said


def sweep(moments: int, seed: int, most: float) -> Counter[str]:
    """How so many processes ended; interrupts come within `most` seconds."""
    random_moments = random.Random(seed)
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as filled, Forked() as forked:
        forked.interrupted(filled, most * 2)
        for moment in range(moments):
            after = random_moments.uniform(0, most)
            if moment % 3 == 0:
                with tempfile.TemporaryDirectory() as empty:
                    end = forked.interrupted(empty, after)
            elif moment % 3 == 1:
                end = forked.interrupted(filled, after * 0.1)
            else:
                end = imported(filled, after)
            ends[end] += 1
            if end != "works":
                print(f"moment {moment}, after {after:.4f} s: {end}", flush=True)
    return ends


def main() -> int:
    """Run the sweep; 1 where a process did not end as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=float, default=2.0, help="seconds within which the interrupt comes")
    options = parser.parse_args()
    ends = sweep(options.moments, options.seed, options.most)
    print(", ".join(f"{end}: {count}" for end, count in ends.items()))
    return int(set(ends) != {"works"})


if __name__ == "__main__":
    raise SystemExit(main())
