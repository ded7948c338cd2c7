"""
The oracle: what each operator is worth, as textbook formulas in extended or arbitrary precision.

Checked arrays come in and arrays go out, unrounded; nothing here knows of nodes, rows or the kernels.
Imports NumPy, ml_dtypes and mpmath only.
"""
