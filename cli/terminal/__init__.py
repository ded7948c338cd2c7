"""What several commands take and show: options, tables of tensors and steps, a progress bar; and what it is shown on.

Reports of `softops.conformance` come in. Imports rich and typer alone.
"""
