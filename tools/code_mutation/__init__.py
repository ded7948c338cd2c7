"""Our code changed in one place at a time, to see whether the tests notice: `python -m tools.code_mutation`."""
