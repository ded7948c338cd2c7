"""What several commands show: tables of tensors and steps, a progress bar; and what it is shown on: console, output.

Reports of `softops.conformance` come in. Imports rich alone.
"""
