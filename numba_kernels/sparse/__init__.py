"""Relatives of softmax that give exact zeros, along an axis: arrays in, arrays out.

Imports `arrays`, `numerics`, `rowwise` and `vector`.
"""
