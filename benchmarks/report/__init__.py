"""How results are shown: tables on a terminal and in Markdown, plots, what falls short, the words around them.

Results come in; imports `busy`, `results`, `timing` and `workloads`.
"""
