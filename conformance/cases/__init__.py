"""
The cases of the suite: which there are, and each built into a model, what is fed, and the exact outputs.
Choices of operators, versions, dtypes and families come in.
It imports measure.
"""
