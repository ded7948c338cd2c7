"""
A user's model in a runtime: what it is fed, the report on it, and several runtimes side by side.
A path, bytes or a ModelProto comes in, and arrays or nothing.
It imports measure, cases, verdicts, runtimes and steps.
"""
