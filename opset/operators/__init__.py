"""
The table: one file for each family of operators holds its rows, its checks and what hands a node to kernel and oracle.

Arrays and attributes as a node has them come in, and outputs go out.
Imports the oracle, the names of domains from `softops.opset.graph`, and `softops.numba_kernels` at first use.
"""
