"""Generators of pages and of numbers in the code: operators, deviations, the polynomials of exp and log."""
