"""
A user's model opened, run in a runtime and in our backend, cut at steps, and each step judged once.

A path, bytes or a ModelProto comes in, and what it is fed; verdicts on its tensors go out.
It imports measure, cases, verdicts and runtimes.
"""
