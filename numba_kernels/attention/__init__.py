"""Attention without its matrix of scores: queries, keys and values in, sums of values out.

Imports `products` and the rooms before it.
"""
