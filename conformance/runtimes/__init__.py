"""
The runtimes, all behind one protocol: found by name, given a model and arrays, in a process of their own if need be.
Names and options come in; models as bytes.
It imports measure, for the precision they tell; runtimes that are not Python have their room next door, elsewhere.
"""
