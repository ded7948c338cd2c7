"""
Work on the workers of a Dask cluster: which cluster, whether its workers fit, results in order; for the extra ``dask``.

Tasks are plain functions; scheduling, and running again what a worker that died took along, are Dask's.
It imports nothing but the errors, and Dask when it is asked for.
"""
