"""Exponentials, logarithms, compensated sums and double-double numbers, right to the last place.

What comes in are values of `vector`, vectors and numbers alike; what is computed with them is documented in ULP.
Imports `vector` alone.
"""
