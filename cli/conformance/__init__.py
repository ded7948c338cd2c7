"""`softops conformance …`: the suite on a runtime that is here, and on one that is elsewhere.

What the command line says comes in. Imports the packages when a command runs, and nothing of the other commands.
"""
