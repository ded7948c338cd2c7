"""How threads share the work of a call: a piece at a time, and where there are stages, one after the other.

The lines of a call lie in pieces, and each part (what one thread is started for) has a share of them:

    for each stage:
        take the pieces of one's own share, one by one, then those that other parts have left
        wait until every piece of the stage is done

So a thread that the system holds back holds up one piece, and where one thread is given all parts it does all pieces.
All bits are those of a single thread: a line is done whole, in one order, whoever does it.
"""

from array import array
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types

from ..vector import (
    Variable,
    count_on,
    counted,
    let_others_run,
    load_scalar,
    loop,
    now,
    stack_address,
    store_scalar,
    traced,
    when,
    where,
)
from .jit import c_function, keep_alive, kernel, parallel_kernel, shared

Numbers = int | tuple[int, ...]
Form = tuple[int, int, int]

# A share has about so many pieces; fewer where each piece of a stage begins with what the stage before has found.
_PIECES, _STAGED_PIECES = 4, 2
# A counter has a line of the caches for itself, of 64 bytes.
_LINE = 64
# A thread that waits looks so often (some microseconds) before it lets others run between two looks.
_LOOKS = 1000
# Threads begin and end within some microseconds, and wake up within a hundred; one that is this much later (ns) waits
# for a processor.
_LATE = 300_000


@traced
def call_at(function: Any, numbers: Any) -> Any:
    """Call the C function at an address with whole numbers."""
    builder, word = function.builder, ir.IntType(64)
    pointer = builder.inttoptr(function.ir, ir.FunctionType(word, [word] * len(numbers)).as_pointer())
    return function.new(types.int64, builder.call(pointer, [number.ir for number in numbers]))


@shared
def neighbours(n: Any, inner: Any) -> Any:
    """How many lines of n numbers stay together in a piece, where `inner` of them lie side by side."""
    if inner > 1:
        return inner if inner * n <= 65536 else 64
    return 64 * (-(-64 // n)) if n < 64 else max(4096 // n, 1)


@traced
def _take_part(
    function: Any, given: Any, board: Any, count: Any, together: Any, stages: Any, parts: Any, part: Any
) -> None:
    """Do what is to be done by a part; `board` is the address of a counter for each stage and part, and one more.

    The first part notes there, behind the counters, when it began, ended, and how long it waited meanwhile.
    """
    begun, waited = now(part), Variable(part.constant(0))
    wanted = together * parts * where(stages > 1, stages.constant(_STAGED_PIECES), _PIECES)
    length = together * ((count + (wanted - 1)) // wanted)
    pieces = (count + (length - 1)) // length
    with loop(0, stages) as stage:
        counters = board + stage * (parts + 1) * _LINE
        all_done, done = counters + parts * _LINE, Variable(pieces.constant(0))
        with loop(0, parts) as turn:
            share = where(part + turn < parts, part + turn, part + turn - parts)
            begin, end = pieces * share // parts, pieces * (share + 1) // parts
            with loop(begin, end) as often:
                piece = begin + count_on(counters + share * _LINE, 1)
                often.leave_if(piece >= end)
                first = piece * length
                last = where(first + length < count, first + length, count)
                call_at(function, (given, stage, first, last))
                done.value += 1
        with when(stage + 1 < stages):
            count_on(all_done, done.value)
            since = now(part)
            _wait(all_done, pieces)
            waited.value += now(part) - since
    with when(part == 0):
        notes = board + stages * (parts + 1) * _LINE
        for i, number in enumerate((begun, now(part), waited.value)):
            store_scalar(part, notes + 8 * i, number)


def _wait(counter: Any, wanted: Any) -> None:
    with loop(wanted.constant(0), 1 << 62) as look:
        look.leave_if(counted(counter) == wanted)
        with when(look >= _LOOKS):
            let_others_run(look)


@parallel_kernel
def _over_parts(
    function: Any, given: Any, board: Any, count: Any, together: Any, stages: Any, parts: Any
) -> Any:
    for part in numba.prange(parts):
        _take_part(function, given, board, count, together, stages, parts, np.int64(part))


@kernel
def share_out(function: Any, given: Any, count: Any, together: Any, stages: Any, parts: Any) -> Any:
    """Call ``function(given, stage, first, last)`` for all lines of every stage, on so many threads.

    `together`: of how many lines a piece has some multiple. Gives back for how long, in nanoseconds, the first part had
    nothing to do but wait for others, where that is longer than waking them takes and than half of what it did.
    """
    counters = stages * (parts + 1) * _LINE
    board = np.zeros(counters + 2 * _LINE, np.uint8)
    aligned = (board.ctypes.data + (_LINE - 1)) // _LINE * _LINE
    _over_parts(function, given, aligned, count, together, stages, parts)
    late = _lateness(aligned + counters)
    keep_alive(board)
    return late


@traced
def _lateness(notes: Any) -> Any:
    begun, ended, waited = (load_scalar(notes, notes + 8 * i) for i in range(3))
    worked, waited = ended - begun - waited, waited + (now(notes) - ended)
    return where((waited > _LATE) & (2 * waited > worked), waited, 0)


@traced
def stack_words(numbers: Any) -> Any:
    """The address of whole numbers on the stack, as `words_at` reads them, gone when the caller returns."""
    place = stack_address(numbers[0], types.int64, len(numbers))
    for i, number in enumerate(numbers):
        store_scalar(number, place + 8 * i, number)
    return place


class OverParts:
    """Spreads the lines of a kernel over threads, in as many parts as it is told.

    Called with ``dst, src, count, *layout, parts``, of which the first two may be several numbers each; what it gives
    back is that of `share_out`. ``make(form)`` gives the kernel, which takes the address of all these but the count, a
    stage, a first line and a last one; see `words_at`. `stages`: how many; ``together(n, inner)``: how many lines stay
    together, of a layout that begins so.
    """

    __slots__ = ("_made", "_make", "_stages", "_together")

    def __init__(
        self, make: Callable[[Form], Any], stages: int = 1, together: Callable[[int, int], int] = neighbours
    ) -> None:
        self._make, self._stages, self._together = make, stages, together
        self._made: dict[Form, tuple[int, Any]] = {}

    def __call__(self, dst: Numbers, src: Numbers, count: int, *layout_and_parts: int) -> int:
        layout, parts = layout_and_parts[:-1], layout_and_parts[-1]
        to, targets = (dst, len(dst)) if isinstance(dst, tuple) else ((dst,), 0)
        source, sources = (src, len(src)) if isinstance(src, tuple) else ((src,), 0)
        code = self.code((targets, sources, len(layout)))
        given = array("q", (*to, *source, *layout))
        together = self._together(layout[0], layout[1] if len(layout) > 1 else 1)
        late: int = share_out(code, given.buffer_info()[0], count, together, self._stages, parts)
        return late

    def code(self, form: Form) -> int:
        """The address of the C function for arguments of a form."""
        known = self._made.get(form)
        if known is None:
            made = self._make(form)
            known = self._made[form] = c_function(made, 4), made  # the code lives as long as this
        return known[0]


def words_at(form: Form) -> Any:
    """What tells jitted code ``dst, src, *layout`` from the address that `OverParts` gives.

    `form`: how many numbers these are, 0 for one by itself.
    """

    @traced
    def words(given: Any) -> Any:
        numbers = [
            load_scalar(given, given + 8 * i) for i in range(max(form[0], 1) + max(form[1], 1) + form[2])
        ]
        parts = []
        for count in form[:2]:
            own, numbers = numbers[: max(count, 1)], numbers[max(count, 1) :]
            parts.append(tuple(own) if count else own[0])
        return *parts, *numbers

    return words
