"""
A user's model: opened, run, cut at steps, each step judged once, a report; and several runtimes side by side.
A path, bytes or a ModelProto comes in, and arrays or nothing.
It imports measure, cases, verdicts and runtimes.
"""
