"""The decisions behind a head: the k best classes, and classes drawn at random.

Logits come in, indices go out. Imports `arrays`, `compile`, `log_sums`, `numerics`, `rowwise`, `vector` and the
package's own operators.
"""
