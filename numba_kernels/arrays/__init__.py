"""What a user gives → lines at an address, and back; one implementation for calls from Python and from jitted code.

In come arrays, axes and `out` as users write them, and the kernels of an operator; out goes the result, or an error.
Imports `vector`, `compile` and `numerics`.
"""
