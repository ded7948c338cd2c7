"""What several commands show: tables of tensors and steps, a progress bar.

Reports of `softops.conformance` come in. Imports rich alone.
"""
