"""How kernels are compiled, kept on disk, called and spread over threads; the one place with Numba's options.

In come functions that are jitted or traced; out go kernels that take addresses and sizes.
Imports `vector`; what is private of Numba is in `vector/numba_internals`.
"""
