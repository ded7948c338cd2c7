"""What the page says about its tables."""

from ..busy import MOST_OTHERS
from ..results import MARK

RATIOS = (
    "Time of the fastest other library over that of softops: above 1 softops is faster. Lost rows in bold."
)
TIMES = "Microseconds a call; lost rows in bold."
FIRST_CALLS = """\
In a fresh process, float32: with an empty cache (cold, the kernel is compiled) and a filled one (warm, it is loaded),
of 2 rows of 10 (serial) and of 4096 rows of 100 (parallel, with the loop over threads). Aims in brackets. What
importing softops costs beyond Numba is among the calls."""
METHOD = f"""\
Every library gets the same arrays (they start at multiples of 64 bytes) and the same number of threads. Calls are timed
in one process in rounds that go round the libraries; each library rests for some milliseconds before its turn, because
the threads of the one before may still spin, and makes one call that does not count. A round repeats the call until it
lasts about two milliseconds; the fastest round counts. Each library's result is compared with that of softops in
float64 first, and a wrong one is not timed. *In place*: a call writes its result over its input, on which the next call
works.

*best / softops* is the time of the fastest other library over that of softops: above 1 softops is faster. *Copy* is the
share of a plain copy's speed: the bytes that the operator must read and write, over its time, against the same of
`numpy.copyto` of the input (or of a copy on all threads where that is faster). An en dash: the library has no such
operator for the dtype. A cross: it failed or its result was wrong, see the notes.

{MARK}: meanwhile other processes, or the host of a virtual machine, took more than {MOST_OTHERS:.0%} of the time of the
processors that the benchmark may use. That is what Linux counts; elsewhere, and of what takes less than half a second,
it is not known and nothing is marked.

Our kernels are compiled for the instruction set that heads a column or a section: that of the processor, or what
`NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` ask for. The other libraries choose by the processor. Runs of several machines
are kept in `benchmarks/runs/` and shown side by side.
"""
