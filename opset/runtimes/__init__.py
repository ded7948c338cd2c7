"""
What is known of runtimes without running a model: what each release reads, and which dtypes its kernels take.

In comes a release as pip writes it, or a row of the table; out go versions and dtypes. It imports operators.
"""
