"""`softops export …`: heads from files of weights, surgery on models that exist, and its check.

What the command line says comes in. Imports the packages when a command runs, and nothing of the other commands.
"""
