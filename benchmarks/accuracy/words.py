"""What the page on accuracy says beside the numbers."""

# ruff: noqa: RUF001 (σ and − stand for what they are)

WHY = """\
A softmax is usually computed as exp(x − max) / Σ exp(x − max). The subtraction keeps the exponential from overflowing,
and it is where the precision goes: x − max is rounded, and an error of half a unit in the last place of a difference of
60 is an error of 60 times half a unit, relatively, in its exponential. A better exponential does not help, since its
argument is wrong already. The error grows with the spread of the logits, as the left panel shows; where it is larger at
a small spread, it is from long rows added up without compensation.

softops does not subtract. exp(x) is split into a factor near 1 and a power of two, exp(x) = p(r) · 2ⁿ, and overflow is
avoided by shifting the integer n by that of the row's maximum, which is exact. What remains is the error of p, of a sum
in float64 (float64 itself is summed with compensation) and of one multiplication. `numba_kernels/numerics/exp.py` has
the details.

The right panel is about results near zero. Where one logit is far ahead, its log-probability is minus a small sum, and
log(1 + small) loses that sum in the 1. softops adds up the other terms without the maximum's own 1 and takes log1p of
that; float32 rows are added up in float64. The peers' errors of 10⁷ ULP in float32 and 10¹⁵ in float64 are results of 0
where the exact value is not. The same happens to a cross entropy whose labels are all predicted well. What is lost is
relative precision: next to 1 such errors are small. In the left panel an error of 10⁶ ULP is a subnormal probability,
below 10⁻³⁸, that was flushed to 0.
"""

METHOD = """\
The exact value is computed in `numpy.longdouble` from the very numbers that the libraries are given
(`softops.opset.reference`, which the tests compare with mpmath). One ULP is the spacing of the output's dtype at
max(|exact value|, smallest normal number): a correctly rounded result is within 0.5. For the gradient it is the spacing
at the largest of the two terms y·dy and y·Σdy·y and their difference. A result that is NaN or infinite where the exact
one is not counts as ∞.

Inputs: rows of 1, 2, 7, 10, 16, 17, 128, 1000, 4096, 50257 and 128256 normal logits with σ of 0.1, 1, 3, 10, 30, 100
and 1000 around 0, ±100, ±10⁴ and ±10³⁰ (where the dtype has such numbers); rows with one logit ahead of the others by
10⁻⁷ to 120; rows of equal logits. Of the two longest there are fewer, all around 0. For the elementwise operators
normal numbers of each σ and numbers down to where results underflow; in float16 and bfloat16 every finite number. For
the cross entropy the mean over 4096 rows of 2, 10 and 128 classes, with random labels and with labels that are ahead.
Each library runs on one thread and in its default settings; the calls are those of the speed benchmark. The means are
over all these results.
"""

# Why ours is off by more than promised, where it is; written down once it is understood.
CAUSES: dict[tuple[str, str], str] = {}

BEYOND = """\
Not among these inputs: logsumexp in float64 of rows whose exact result is nearly 0, such as log-probabilities. There
the maximum and the logarithm of the rest cancel, and each is known to about 2⁻¹⁰² only: results of 10⁻¹⁷ may be off by
some hundreds of ULP. In the other dtypes they are within the bound.
"""
