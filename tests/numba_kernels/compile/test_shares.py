"""Work in pieces, in stages: all of it is done once, whoever does it, and no part waits for one that has not begun."""

import ctypes
import threading
import time

import numba
import numpy as np
import pytest

from softops.numba_kernels.compile.shares import neighbours, share_out


class Notes:
    """A C function for `share_out` that notes what it is called for."""

    def __init__(self, count, stages):
        self.done = np.zeros((stages, count), np.int64)
        self.too_early, self.pieces = [], []
        self._function = ctypes.CFUNCTYPE(*(ctypes.c_int64,) * 5)(self._note)

    def _note(self, _, stage, first, last):
        if stage and not self.done[stage - 1].all():
            self.too_early.append((stage, first))
        self.done[stage, first:last] += 1
        self.pieces.append(last - first)
        return 1

    @property
    def address(self):
        return ctypes.cast(self._function, ctypes.c_void_p).value


@pytest.fixture(params=[1, 2])
def threads(request):
    before = numba.get_num_threads()
    if request.param > before:
        pytest.skip("one thread is all there is")
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize(
    "parts", [1, 2, 3, 7]
)  # more than threads: one thread is given several, one after another
@pytest.mark.parametrize(("count", "together"), [(1, 1), (5, 1), (15, 1), (64, 4), (100, 49), (1000, 64)])
def test_every_line_of_every_stage_is_done_once(threads, stages, parts, count, together):
    notes = Notes(count, stages)
    share_out(notes.address, 0, count, together, stages, parts)
    assert (notes.done == 1).all()
    assert notes.too_early == []
    # all pieces but the last of a stage are of whole groups of lines
    assert sum(piece % together != 0 for piece in notes.pieces) <= stages


def test_a_part_that_is_held_back_is_helped(threads):
    """Whoever is done takes what others have left, piece by piece."""
    if threads == 1:
        pytest.skip("nobody is there to help")
    begun = []

    def note(_, stage, first, last):
        begun.append((first, threading.get_ident()))
        if first == 0:
            time.sleep(0.5)
        return 1

    function = ctypes.CFUNCTYPE(*(ctypes.c_int64,) * 5)(note)
    share_out(ctypes.cast(function, ctypes.c_void_p).value, 0, 64, 1, 1, 2)
    at, held = next((i, thread) for i, (first, thread) in enumerate(begun) if first == 0)
    assert len(begun) >= 8
    assert all(thread != held for _, thread in begun[at + 1 :])


@pytest.mark.parametrize("stages", [1, 2])
def test_how_long_the_first_part_waited_is_told(threads, stages):
    if threads == 1:
        pytest.skip("there is nobody to wait for")
    own, taken = threading.get_ident(), threading.Event()

    def note(_, stage, first, last):
        if threading.get_ident() == own:
            taken.wait(10)
        elif not taken.is_set():
            taken.set()
            time.sleep(0.5)
        return 1

    function = ctypes.CFUNCTYPE(*(ctypes.c_int64,) * 5)(note)
    assert share_out(ctypes.cast(function, ctypes.c_void_p).value, 0, 64, 1, stages, 2) > 100_000_000  # ns


@pytest.mark.parametrize("n", [1, 5, 63, 64, 1000, 4096, 128256])
def test_neighbouring_rows_stay_together_until_a_piece_is_worth_it(n):
    lines = neighbours(n, 1)
    assert lines == 1 if n >= 4096 else 2048 <= lines * n <= 8192
    assert n >= 64 or lines % 64 == 0


def test_lines_side_by_side_stay_together():
    assert neighbours(1000, 49) == 49
    assert neighbours(21, 512 * 512) == 64
