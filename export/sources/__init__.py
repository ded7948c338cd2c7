"""Graphs from what others trained: scikit-learn estimators, PyTorch modules, files of weights.

An estimator, a module or a path comes in; neither scikit-learn nor torch is imported. Imports `builder` and `heads`.
"""
