"""Polynomials that kernels hold, fitted with mpmath and printed; each module runs by itself."""
