"""Bridges to the converters of others: scikit-learn's estimators by skl2onnx, XGBoost's and LightGBM's by onnxmltools.

A fitted estimator comes in; nodes for a graph under construction go out. The converters are imported when one is
needed, never before. Imports `builder`.
"""
