"""numba_kernels/arrays."""
