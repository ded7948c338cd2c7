"""A linear layer and what follows it, in one: rows of features and the weights of classes in, no array of all scores
but where these are the result.

Imports `products` and the rooms before it.
"""
