"""Changes to models that exist: append, strip and exchange heads, fuse and decompose operators.

A model comes in and stays as it is; a checked copy goes out. Imports `builder` and `heads`.
"""
