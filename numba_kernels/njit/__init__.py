"""The operators inside a user's own jitted function; importing it registers them with Numba.

In come types of Numba's while a user's function is compiled; out go implementations that call the operators' kernels.
Imports everything else of the package.
"""
