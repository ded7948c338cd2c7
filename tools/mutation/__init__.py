"""Models changed at random, over every entry: `python -m tools.mutation` says which calls end as they should not."""
