"""Losses of classifiers and their gradients: logits and labels in, a loss or a slope for each logit out.

Made of `log_sums` and `rowwise`; imports the rooms before it and the operators of the package itself.
"""
