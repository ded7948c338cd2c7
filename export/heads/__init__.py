"""Graphs from numbers: classifier, language-model and policy heads, attention, losses and their gradients.

Weights and options come in, a checked model goes out. Imports `builder`.
"""
