"""`softops demo`: handwritten digits, a training on our own kernels, the model, the page about it.

A folder comes in. Imports `terminal`, and the packages when it runs.
"""
