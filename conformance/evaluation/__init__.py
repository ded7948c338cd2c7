"""
A classifier on an evaluation set: batch after batch the answers of every runtime, agreement, accuracy, calibration.
A model and a dataset come in.
It imports measure, models and runtimes.
"""
