"""Kernels compiled ahead of their first use; the last room, which knows all operators."""
