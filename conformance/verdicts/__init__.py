"""
One output of a case judged: what each operator is held to, the checks, the record, and the deviations that are known.
A case with its exact outputs comes in, and what a runtime gave.
It imports measure and cases.
"""
