"""
What the layers of networks do: convolutions, pools, normalizations, recurrences.

May import: `operators`, `graph`, `nodes`.
"""
