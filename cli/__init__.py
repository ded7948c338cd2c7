"""The command `softops`: a demonstration, validation of models, export of classifier heads.

For the terminal only: the entry point is `softops.cli.main:main`, and nothing here is meant to be imported by
other code, which finds everything these commands do in `softops.export` and `softops.conformance`.
"""

__all__: list[str] = []
