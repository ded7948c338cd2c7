"""numba_kernels/njit."""
