"""
What a reader of a model should know: its softmax-family nodes, the axis each works along, and warnings.

In comes a model as a user names it; out goes a report. It imports graph, operators and runtimes.
"""
