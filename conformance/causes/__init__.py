"""
What failing cases look like: hypotheses that are tried against the outputs, and the causes that they support.
Cases come in, with what a runtime gave; later the records of a whole run.
It imports the measures, the cases and the verdicts.
"""
